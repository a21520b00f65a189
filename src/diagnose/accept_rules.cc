#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>

#include "base/text.h"
#include "diagnose/catalogue.h"
#include "diagnose/rules.h"

namespace acceptq::diagnose {
namespace {

using facts::Protocol;

Finding finding_about(const char* id, const ListenerState& state) {
  Finding finding = make_finding(id);
  finding.listener = state.report.key;
  finding.netns = state.listener->netns;
  return finding;
}

std::string connections(std::uint32_t count) {
  return count == 1 ? "1 connection" : fmt::format("{} connections", count);
}

std::string connections_wait(std::uint32_t count) {
  return connections(count) + (count == 1 ? " waits" : " wait");
}

std::string fullness(const ListenerState& state) {
  const auto& fraction = state.report.full_fraction;
  if (!fraction) return "";
  if (*fraction >= 1) return " It was full in every sample.";
  if (*fraction <= 0) return " No sample saw it full, so it fills for moments only.";
  return fmt::format(" It was full in {:.0f} % of the samples.", *fraction * 100);
}

Evidence queue_evidence(const ListenerState& state, const char* name, std::int64_t value) {
  return {.name = name, .total = value, .unit = "connections", .source = state.report.key};
}

void add_queue_evidence(const ListenerState& state, Finding& finding) {
  finding.evidence.push_back(
      queue_evidence(state, "accept_queue.length", state.listener->accept_queue_len.value()));
  if (state.listener->limit) {
    finding.evidence.push_back(
        queue_evidence(state, "accept_queue.limit", state.listener->limit->value()));
  }
}

void add_counter_evidence(const ListenerState& state, Finding& finding) {
  finding.evidence.push_back(counter_evidence(state.ns, "TcpExtListenOverflows"));
  finding.evidence.push_back(counter_evidence(state.ns, "TcpExtListenDrops"));
  if (state.listener->drops) {
    Evidence own{.name = "sk_drops",
                 .total = *state.listener->drops,
                 .unit = "packets",
                 .source = state.report.key};
    if (state.report.socket_drops_delta) {
      own.delta = static_cast<std::int64_t>(*state.report.socket_drops_delta);
    }
    finding.evidence.push_back(std::move(own));
  }
}

// "97 attempts to connect from 57 addresses".
std::string attempts(const Refused& refused) {
  std::string text = "new handshakes";
  if (refused.attempts) {
    text = counted(*refused.attempts, "attempt to connect", "attempts to connect");
  }
  if (refused.addresses) text += " from " + counted(*refused.addresses, "address", "addresses");
  return text;
}

// What became of those that were refused.
std::string aftermath(const Refused& refused) {
  std::string text;
  if (refused.recovered.value_or(0) > 0) {
    text += fmt::format(" {} of these attempts came through later.", *refused.recovered);
  }
  if (refused.gave_up.value_or(0) > 0) {
    text += fmt::format(" {} were given up.", *refused.gave_up);
  }
  return text;
}

// How many packets, and how sure it is that they were this listener's.
std::string refused_sentence(const facts::Observation& observation, const ListenerState& state) {
  const Refused& refused = state.report.refused;
  if (state.ledger != nullptr && refused.source == state.ledger->source) {
    return fmt::format(
        "In {:.1f} s the kernel refused {} packets for it ({} at SYN, {} at the final ACK), of {}",
        observation.seconds, refused.total.value_or(0), refused.at_syn.value_or(0),
        refused.at_ack.value_or(0), attempts(refused));
  }
  if (refused.source == facts::Source::kCounters) {
    return fmt::format("In {:.1f} s the kernel refused {} packets of new handshakes for it",
                       observation.seconds, refused.total.value_or(0));
  }
  return fmt::format(
      "In {:.1f} s the kernel refused {} packets of new handshakes in this network namespace, and "
      "this listener's own drop counter, which counts some packets twice, grew by {}",
      observation.seconds, state.ns.grew("TcpExtListenDrops"),
      state.report.socket_drops_delta.value_or(0));
}

// What the counters exclude, as an expert would.
std::string exclusion(const ListenerState& state) {
  std::string text;
  const std::uint64_t overflows = state.ns.grew("TcpExtListenOverflows");
  const std::uint64_t drops = state.ns.grew("TcpExtListenDrops");
  if (drops > 0 && overflows > 0) {
    text += fmt::format(
        " ListenOverflows grew by {} and ListenDrops by {}: {}.", overflows, drops,
        overflows == drops
            ? "every refusal was for a full accept queue"
            : fmt::format("{:.0f} % of the refusals were for a full accept queue",
                          100.0 * static_cast<double>(overflows) / static_cast<double>(drops)));
  }
  if (state.report.cookies && *state.report.cookies != Cookies::kOff) {
    text += " SYN cookies are on, so a full SYN queue is not what refuses them.";
  }
  return text;
}

// Whether what refuses is the accept queue. AQ107 and AQ20x speak of what else does.
bool accept_queue_refuses(const ListenerState& state) {
  return state.overflows.value_or(state.ns.grew("TcpExtListenOverflows")) > 0;
}

void add_overflowing(const facts::Observation& observation, const ListenerState& state,
                     std::vector<Finding>& findings) {
  Finding finding = finding_about("AQ101", state);
  const bool sure =
      state.report.refused.source == facts::Source::kCounters || state.ledger != nullptr;
  finding.confidence = sure ? 1.0 : 0.9;
  std::string room = "its limit could not be read";
  if (state.listener->limit) {
    room = fmt::format("the limit is {}, so {} fit", state.listener->limit->value(),
                       facts::accept_queue_capacity(*state.listener->limit));
  }
  finding.explanation = fmt::format(
      "{}, because its accept queue was full: up to {} waited for accept() ({}).{}{}{} "
      "Clients whose first packet (SYN) was refused get no answer and try again, first after 1 s; "
      "those refused at the last step believe to be connected.",
      refused_sentence(observation, state), connections(state.report.longest.value()), room,
      fullness(state), aftermath(state.report.refused), exclusion(state));
  if (state.listener->closed) finding.explanation += " It was closed while acceptq watched.";
  add_counter_evidence(state, finding);
  add_queue_evidence(state, finding);
  findings.push_back(std::move(finding));
}

void add_past(const facts::Observation& observation, const ListenerState& state,
              std::vector<Finding>& findings) {
  Finding finding = finding_about("AQ102", state);
  finding.explanation = fmt::format(
      "{} packets of handshakes were refused for a full accept queue in this network namespace "
      "since "
      "it was made; when is not known{}.",
      state.ns.total("TcpExtListenOverflows").value_or(0),
      observation.seconds > 0 ? fmt::format(", none in the last {:.1f} s", observation.seconds)
                              : "");
  add_counter_evidence(state, finding);
  findings.push_back(std::move(finding));
}

void add_at_risk(const ListenerState& state, std::vector<Finding>& findings) {
  if (!state.listener->limit) return;
  const QueueLimit limit = *state.listener->limit;
  const bool full = facts::sampled_full(state.listener->accept_queue_len, limit);
  Finding finding = finding_about(full ? "AQ108" : "AQ103", state);
  if (full) {
    finding.explanation = fmt::format(
        "{} for accept() where {} fit. No packet was refused while acceptq watched: the next ones "
        "will be.{}",
        connections_wait(state.listener->accept_queue_len.value()),
        facts::accept_queue_capacity(limit), fullness(state));
  } else {
    finding.explanation =
        fmt::format("Up to {} waited for accept() where {} fit. Nothing was refused yet.",
                    connections(state.report.longest.value()), facts::accept_queue_capacity(limit));
  }
  add_queue_evidence(state, finding);
  findings.push_back(std::move(finding));
}

// AQ104 or AQ105, or the candidates where it cannot be told.
void add_limit(const facts::Observation& observation, const ListenerState& state,
               std::vector<Finding>& findings) {
  if (!state.listener->limit) return;
  const std::uint32_t limit = state.listener->limit->value();
  const facts::Namespace* ns = state.ns.after();
  const facts::Namespace* host = facts::host_namespace(observation.after);
  const auto host_somaxconn = sysctl_value(host, facts::kSomaxconn);
  const auto& somaxconn = state.report.somaxconn;
  if (state.report.limit_set_by == LimitSetBy::kSomaxconn) {
    Finding finding = finding_about("AQ104", state);
    finding.explanation = fmt::format(
        "The queue's limit of {} is net.core.somaxconn of its own network namespace.", limit);
    if (somaxconn && *somaxconn != limit) {
      finding.explanation += fmt::format(
          " It has been changed to {} since, but a limit is given once, in listen(), and stays.",
          *somaxconn);
    }
    if (ns != nullptr && ns != host && host_somaxconn && *host_somaxconn != limit) {
      finding.explanation += fmt::format(
          " The host's value, {}, does not apply: every network namespace has its own, and a new "
          "one "
          "starts with the kernel's default.",
          *host_somaxconn);
    }
    finding.evidence.push_back(sysctl_evidence(ns, facts::kSomaxconn));
    if (host != nullptr && host != ns) {
      finding.evidence.push_back(sysctl_evidence(host, facts::kSomaxconn));
    }
    add_queue_evidence(state, finding);
    findings.push_back(std::move(finding));
  } else if (state.report.limit_set_by == LimitSetBy::kApplication) {
    Finding finding = finding_about("AQ105", state);
    finding.confidence = state.listener->backlog_requested ? 1.0 : 0.95;
    finding.explanation = fmt::format(
        "The queue's limit of {} is what the application itself asked for in listen(): "
        "net.core.somaxconn of its network namespace is {} and would allow more, so raising that "
        "changes nothing.",
        limit, somaxconn.value_or(0));
    finding.evidence.push_back(sysctl_evidence(ns, facts::kSomaxconn));
    add_queue_evidence(state, finding);
    findings.push_back(std::move(finding));
  } else if (!state.limit_candidates.empty() && !state.report.stale && !state.kernel_owned) {
    Finding finding = finding_about("AQ105", state);
    finding.title = "the queue's limit is the application's own, or an older somaxconn";
    finding.confidence = 0.5;
    finding.explanation = fmt::format(
        "The queue's limit is {} though net.core.somaxconn of its network namespace is {}. Either "
        "the application asked for {} in listen(), or somaxconn was {} at that time ({}) and has "
        "been "
        "raised since.",
        limit, somaxconn ? std::to_string(*somaxconn) : "not known", limit, limit,
        fmt::join(state.limit_candidates, ", "));
    finding.evidence.push_back(sysctl_evidence(ns, facts::kSomaxconn));
    add_queue_evidence(state, finding);
    findings.push_back(std::move(finding));
  }
}

void add_stale(const ListenerState& state, std::vector<Finding>& findings) {
  Finding finding = finding_about("AQ106", state);
  finding.explanation = fmt::format(
      "The queue's limit is {} and net.core.somaxconn of its network namespace is {} by now: it "
      "was "
      "{} after the application called listen(), which is when a limit is fixed.",
      state.listener->limit->value(), state.report.somaxconn.value_or(0),
      state.listener->limit->value() > state.report.somaxconn.value_or(0) ? "lowered" : "raised");
  finding.evidence.push_back(sysctl_evidence(state.ns.after(), facts::kSomaxconn));
  add_queue_evidence(state, finding);
  findings.push_back(std::move(finding));
}

void add_unix(const ListenerState& state, std::vector<Finding>& findings) {
  Finding finding = finding_about("AQ110", state);
  finding.explanation = fmt::format(
      "{} for accept() on {} where {} fit.{} A further connect() waits, or fails with EAGAIN if "
      "the "
      "client does not want to wait.",
      connections_wait(state.listener->accept_queue_len.value()),
      facts::listener_endpoint(*state.listener),
      facts::accept_queue_capacity(*state.listener->limit), fullness(state));
  add_queue_evidence(state, finding);
  findings.push_back(std::move(finding));
}

// One full member of a group whose others have room.
void add_skew(const ListenerState& state, const std::vector<ListenerState>& all,
              std::vector<Finding>& findings) {
  if (!state.report.reuseport_group) return;
  std::size_t members = 0;
  std::size_t idle = 0;
  for (const ListenerState& other : all) {
    if (other.report.reuseport_group != state.report.reuseport_group) continue;
    ++members;
    const auto& limit = other.listener->limit;
    if (limit && std::uint64_t{other.report.longest.value()} * 4 <= limit->value()) ++idle;
  }
  if (idle == 0) return;
  Finding finding = finding_about("AQ111", state);
  finding.explanation = fmt::format(
      "{} sockets share {} with SO_REUSEPORT. This one is full; {} of the others never held more "
      "than "
      "a quarter of their limit.",
      members, facts::listener_endpoint(*state.listener), idle);
  add_queue_evidence(state, finding);
  findings.push_back(std::move(finding));
}

}  // namespace

void add_accept_queue_findings(const facts::Observation& observation, const ListenerState& state,
                               const std::vector<ListenerState>& all,
                               std::vector<Finding>& findings) {
  const Verdict verdict = state.report.verdict;
  const bool overflowing = verdict == Verdict::kOverflowing && accept_queue_refuses(state);
  if (state.report.stale == true) add_stale(state, findings);
  if (state.listener->protocol == Protocol::kUnix) {
    if (verdict == Verdict::kAtRisk) {
      add_unix(state, findings);
      add_limit(observation, state, findings);
    }
    return;
  }
  if (overflowing) add_overflowing(observation, state, findings);
  if (verdict == Verdict::kOverflowed) add_past(observation, state, findings);
  if (verdict == Verdict::kAtRisk) add_at_risk(state, findings);
  if (!overflowing && verdict != Verdict::kAtRisk) return;
  add_limit(observation, state, findings);
  add_skew(state, all, findings);
  if (state.kernel_owned) {
    Finding finding = finding_about("AQ112", state);
    finding.explanation =
        "No descriptor of any process refers to this socket: the kernel owns it, or it is on its "
        "way "
        "between processes, or io_uring holds it.";
    findings.push_back(std::move(finding));
  }
  if (overflowing && sysctl_value(state.ns.after(), facts::kAbortOnOverflow) == 1) {
    Finding finding = finding_about("AQ109", state);
    finding.explanation =
        "net.ipv4.tcp_abort_on_overflow is 1 in this namespace: clients whose final ACK is refused "
        "are reset.";
    finding.evidence.push_back(sysctl_evidence(state.ns.after(), facts::kAbortOnOverflow));
    findings.push_back(std::move(finding));
  }
}

}  // namespace acceptq::diagnose
