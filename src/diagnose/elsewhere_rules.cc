// AQ401 and AQ406: SYNs that this host dropped, or answered by a reset, before a listener saw them.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "base/text.h"
#include "diagnose/catalogue.h"
#include "diagnose/rules.h"

namespace acceptq::diagnose {
namespace {

// Fewer are a stray client's.
constexpr std::uint64_t kFewest = 5;
// Fewer in a second, or beside those that reach the listener, are what scanners and forgotten
// clients send to any address, and what packet filters are there for.
constexpr double kManyPerSecond = 1;
constexpr std::uint64_t kManyOneIn = 100;

struct Saying {
  std::string_view reason;
  std::string_view says;
};

// What was seen, and not which rule of it.
constexpr Saying kSayings[] = {
    {facts::kNetfilterDrop, "by the packet filter or by connection tracking"},
    {"IP_RPFILTER",
     "by the reverse path filter (rp_filter), as the route back to the client leaves by another "
     "interface"},
    {"XDP", "by an XDP program"},
    {"TC_INGRESS", "by a traffic control program"},
    {"SOCKET_FILTER", "by a BPF program of the socket or of its cgroup"},
    {"XFRM_POLICY", "by an IPsec policy"},
    {"SECURITY_HOOK", "by a security module"},
    {"CPU_BACKLOG", "as the CPU's input queue was full (net.core.netdev_max_backlog)"},
    {"TCP_CSUM", "for a wrong TCP checksum"},
    {"TCP_MD5NOTFOUND", "for want of a TCP-MD5 signature"},
    {"TCP_AONOTFOUND", "for want of TCP-AO"},
    {"IP_INNOROUTES", "for want of a route back to the client"},
    {"IPV6DISABLED", "as IPv6 is disabled on the interface"},
};

// "by the packet filter or by connection tracking (NETFILTER_DROP)"
std::string saying(const std::string& reason) {
  const auto* known = std::ranges::find(kSayings, reason, &Saying::reason);
  return known != std::end(kSayings) ? fmt::format("{} ({})", known->says, reason)
                                     : fmt::format("for the kernel's reason {}", reason);
}

// The listener that packets to an address would reach: one bound to it before one bound to any.
ListenerState* served_by(const facts::DeadSyn& syn, std::vector<ListenerState>& states) {
  ListenerState* found = nullptr;
  for (ListenerState& state : states) {
    const facts::Listener& listener = *state.listener;
    if (!facts::listens_on(listener, syn.netns, syn.port) ||
        !facts::serves_address(listener, syn.address)) {
      continue;
    }
    if (found == nullptr || listener.address == syn.address) found = &state;
    if (listener.address == syn.address) break;
  }
  return found;
}

Severity severity_of(const ListenerState& state, std::uint64_t packets, std::uint64_t arrived) {
  // Whom a rule shuts out it does not tell: where most come through, it is for strangers.
  const auto filtered = state.dead_syns.find(facts::kNetfilterDrop);
  if (filtered != state.dead_syns.end() && filtered->second <= arrived) {
    packets -= filtered->second;
  }
  const bool many = packets > 0 &&
                    static_cast<double>(packets) >= kManyPerSecond * state.seconds.value_or(0) &&
                    packets * kManyOneIn >= packets + arrived;
  return many ? Severity::kWarning : Severity::kNotice;
}

constexpr const char* kForClients =
    "The client gets no answer and repeats its SYN, first after 1 s.";
// The kernel gives one reason for a rule that drops and for one that rejects.
constexpr const char* kForFiltered =
    "If the rule drops, the client gets no answer and repeats its SYN, first after 1 s; if it "
    "rejects, the client is told at once, usually \"connection refused\".";

// Connection tracking has no room for a new connection, whatever the rules say.
bool is_conntrack_full(const ListenerState& state) {
  const auto entries = sysctl_value(state.ns.after(), facts::kConntrackCount);
  const auto most = sysctl_value(state.ns.after(), facts::kConntrackMax);
  // Entries end all the time, and as many begin.
  constexpr double kFull = 0.95;
  return entries && most && *most > 0 &&
         static_cast<double>(*entries) >= kFull * static_cast<double>(*most);
}

// Returns a clause about that, or nothing.
std::string add_conntrack(const ListenerState& state, std::uint64_t packets, Finding& finding) {
  if (!is_conntrack_full(state)) return "";
  const auto entries = sysctl_value(state.ns.after(), facts::kConntrackCount).value_or(0);
  const auto most = sysctl_value(state.ns.after(), facts::kConntrackMax).value_or(0);
  finding.evidence.push_back({.name = kConntrackFull,
                              .total = entries,
                              .delta = static_cast<std::int64_t>(packets),
                              .unit = "packets",
                              .source = facts::kConntrackCount});
  return fmt::format("the table of connection tracking is full: {} entries, where {} is {}",
                     entries, facts::kConntrackMax, most);
}

void add_dead(const ListenerState& state, Finding& finding) {
  const std::uint64_t packets = packets_of(state.dead_syns);
  const std::uint64_t arrived =
      state.ledger != nullptr ? (*state.ledger)[facts::LedgerTerm::kSynReceived].value_or(0) : 0;
  finding.severity = severity_of(state, packets, arrived);
  std::string conntrack;
  if (const auto filtered = state.dead_syns.find(facts::kNetfilterDrop);
      filtered != state.dead_syns.end()) {
    conntrack = add_conntrack(state, filtered->second, finding);
  }
  // No rule means that: what is lost are clients.
  if (!conntrack.empty() && packets > arrived) finding.severity = Severity::kCritical;
  const std::string how = add_drop_reasons(state.dead_syns, finding);
  finding.explanation = fmt::format(
      "In {:.1f} s this host dropped {} to {} before the listener saw them: {}{}{}. {} The "
      "listener's queues have no part in it.",
      state.seconds.value_or(0), counted(packets, "SYN", "SYNs"),
      facts::listener_endpoint(*state.listener), how, conntrack.empty() ? "" : "; ", conntrack,
      state.dead_syns.contains(facts::kNetfilterDrop) && conntrack.empty() ? kForFiltered
                                                                           : kForClients);
}

// What the kernel counted meanwhile of packets that it dropped for such a reason, in the listener's
// whole network namespace: of all ports, and other packets than SYNs as well. Clauses, or nothing.
std::string add_other_counters(const ListenerState& state, Finding& finding) {
  struct Known {
    const char* counter;
    const char* what;
  };
  // fib_validate_source (net/ipv4/fib_frontend.c); tcp_inbound_hash (net/ipv4/tcp.c).
  constexpr Known kKnown[] = {
      {"TcpExtIPReversePathFilter", "by the reverse path filter (rp_filter)"},
      {"TcpExtTCPMD5NotFound", "for want of a TCP-MD5 signature"},
      {"TcpExtTCPMD5Unexpected", "for a TCP-MD5 signature of which no key is known"},
      {"TcpExtTCPAORequired", "for want of TCP-AO"}};
  std::vector<std::string> clauses;
  for (const Known& known : kKnown) {
    const std::uint64_t dropped = state.ns.grew(known.counter);
    if (dropped == 0) continue;
    finding.evidence.push_back(counter_evidence(state.ns, known.counter));
    clauses.push_back(fmt::format("{} {} dropped {}", counted(dropped, "packet", "packets"),
                                  dropped == 1 ? "was" : "were", known.what));
  }
  return clauses.empty() ? ""
                         : fmt::format("; meanwhile, in its network namespace, {}",
                                       fmt::join(clauses, ", and "));
}

// Packets show that there was no answer of TCP, and not where it was lost. ICMP errors, by which
// some packet filters reject, are not looked at.
void add_unanswered(const ListenerState& state, Finding& finding) {
  finding.severity = severity_of(state, state.syns_lost,
                                 state.syns_seen - std::min(state.syns_seen, state.syns_lost));
  finding.confidence = 0.7;
  finding.title = "SYNs get no answer, and no queue refused them";
  const std::string conntrack = add_conntrack(state, state.syns_lost, finding);
  const std::string counters = add_other_counters(state, finding);
  finding.explanation = fmt::format(
      "In {:.1f} s {} to {} got neither a SYN-ACK nor a reset, though no counter says that a "
      "listener refused them{}{}{}. {}A client that hears nothing repeats its SYN, first after "
      "1 s.",
      state.seconds.value_or(0), counted(state.syns_lost, "SYN", "SYNs"),
      facts::listener_endpoint(*state.listener), conntrack.empty() ? "" : "; ", conntrack, counters,
      conntrack.empty() && counters.empty()
          ? "This host dropped them on their way in or rejected them by an ICMP error, or their "
            "answers were lost before they passed an interface. "
          : "");
  finding.evidence.push_back({.name = "syn_unanswered",
                              .delta = static_cast<std::int64_t>(state.syns_lost),
                              .unit = "packets",
                              .source = "packets"});
  finding.evidence.push_back(counter_evidence(state.ns, "TcpExtListenDrops"));
}

// A server that is bound to the loopback address alone, or to one family of addresses. That is
// often meant, and so it is a notice.
void add_reset_beside(const ListenerState& state, std::vector<Finding>& findings) {
  std::uint64_t packets = 0;
  std::vector<std::string> addresses;
  for (const facts::DeadSyn& syn : state.reset_beside) {
    packets += syn.packets;
    addresses.push_back(facts::host_and_port(syn.address, syn.port));
  }
  if (packets < kFewest ||
      static_cast<double>(packets) < kManyPerSecond * state.seconds.value_or(0)) {
    return;
  }
  Finding finding = finding_about("AQ406", state);
  finding.explanation = fmt::format(
      "In {:.1f} s {} to {} {} answered by a reset, which clients see as \"connection refused\": "
      "no listener of this network namespace serves {}; the one of that port is bound to {}{}.",
      state.seconds.value_or(0), counted(packets, "SYN", "SYNs"), fmt::join(addresses, " and "),
      packets == 1 ? "was" : "were", addresses.size() == 1 ? "that address" : "these addresses",
      facts::listener_endpoint(*state.listener),
      state.listener->address.is_unspecified() ? ", and not to this family of addresses" : "");
  finding.evidence.push_back({.name = "syn_reset",
                              .delta = static_cast<std::int64_t>(packets),
                              .unit = "packets",
                              .source = "kfree_skb"});
  findings.push_back(std::move(finding));
}

}  // namespace

std::uint64_t packets_of(const std::map<std::string, std::uint64_t>& by_reason) {
  std::uint64_t packets = 0;
  for (const auto& [reason, count] : by_reason) packets += count;
  return packets;
}

std::string add_drop_reasons(const std::map<std::string, std::uint64_t>& by_reason,
                             Finding& finding) {
  std::string how;
  for (const auto& [reason, count] : by_reason) {
    how += fmt::format("{}{} {}", how.empty() ? "" : ", ", count, saying(reason));
    finding.evidence.push_back({.name = "drop_reason." + reason,
                                .delta = static_cast<std::int64_t>(count),
                                .unit = "packets",
                                .source = "kfree_skb"});
  }
  return how;
}

bool dies_elsewhere(const ListenerState& state) {
  return packets_of(state.dead_syns) >= kFewest || state.syns_lost >= kFewest;
}

void attribute_dead_syns(const facts::Observation& observation,
                         std::vector<ListenerState>& states) {
  if (!observation.dead_syns) return;
  for (ListenerState& state : states) state.syns_lost = 0;  // the kernel knows better
  for (const facts::DeadSyn& syn : *observation.dead_syns) {
    // That a RST goes back is an answer.
    if (syn.reason == facts::kNoSocket) continue;
    ListenerState* state = served_by(syn, states);
    if (state == nullptr) continue;
    (syn.after_syn ? state->dead_acks : state->dead_syns)[syn.reason] += syn.packets;
  }
  for (facts::DeadSyn& syn : facts::reset_syns(observation)) {
    const auto beside = std::ranges::find_if(states, [&](const ListenerState& state) {
      return facts::listens_on(*state.listener, syn.netns, syn.port);
    });
    if (beside != states.end()) beside->reset_beside.push_back(std::move(syn));
  }
}

void add_elsewhere_findings(const ListenerState& state, std::vector<Finding>& findings) {
  add_reset_beside(state, findings);
  if (!dies_elsewhere(state)) return;
  Finding finding = make_finding("AQ401");
  finding.listener = state.report.key;
  finding.netns = state.listener->netns;
  if (state.syns_lost > 0) {
    add_unanswered(state, finding);
  } else {
    add_dead(state, finding);
  }
  findings.push_back(std::move(finding));
}

}  // namespace acceptq::diagnose
