#include "remedy/drop_advice.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>

#include "base/text.h"
#include "remedy/inside.h"

namespace acceptq::remedy {
namespace {

using diagnose::Evidence;
using diagnose::Remedy;

enum class Where { kInside, kHost };

struct Advice {
  std::string_view evidence;
  std::string_view summary;
  std::string_view commands;  // a line each
  Where where = Where::kInside;
};

// The third packets, as they arrive; {port} is the listener's.
constexpr std::string_view kCapture =
    "tcpdump -c 30 -ni any 'tcp port {port}'\n"
    "nft -a list ruleset\n"
    "iptables-save -c\nip6tables-save -c\n"
    "sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max";
constexpr std::string_view kRules =
    "nft -a list ruleset\n"
    "iptables-save -c\nip6tables-save -c\n"
    "sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max";

constexpr std::string_view kOtherInterface =
    "Give the route back to these clients the interface that they come in by, or set rp_filter to "
    "2 there.";
constexpr std::string_view kReversePath = "sysctl -ar '\\.rp_filter$'\nip route";
// ss -e shows the keys themselves: no command is given.
constexpr std::string_view kKeys =
    "The server has a key (TCP-MD5 or TCP-AO) for these addresses: give the clients the same, or "
    "take theirs away from the server.";
constexpr std::string_view kUnanswered = "syn_unanswered";
constexpr std::string_view kFiltered = "drop_reason.NETFILTER_DROP";

// Reasons: enum skb_drop_reason (include/net/dropreason-core.h).
constexpr Advice kAdvice[] = {
    {diagnose::kConntrackFull,
     "Raise net.netfilter.nf_conntrack_max (where it cannot be written, in the host's network "
     "namespace), or shorten the time-outs of what fills the table, or exempt this port from "
     "tracking (notrack).",
     "sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max\n"
     "conntrack -S\nconntrack -L -o extended"},
    {"TcpExtIPReversePathFilter", kOtherInterface, kReversePath},
    {kFiltered,
     "Find the rule that drops them (its counter grows) and see whether it is meant to. Connection "
     "tracking drops, too, when its table is full.",
     kRules},
    {"drop_reason.IP_RPFILTER", kOtherInterface, kReversePath},
    {"drop_reason.CPU_BACKLOG",
     "Raise net.core.netdev_max_backlog, or spread the packets over more CPUs (RPS, more receive "
     "queues): the second column counts what was dropped, by CPU.",
     "cat /proc/net/softnet_stat\nsysctl net.core.netdev_max_backlog", Where::kHost},
    {"drop_reason.XDP", "Find the XDP program, and see whether it is meant to.",
     "bpftool net show"},
    {"drop_reason.TC_INGRESS", "Find the filter, and see whether it is meant to.",
     "bpftool net show\ntc -s qdisc show"},
    {"drop_reason.SOCKET_FILTER", "Find the BPF program of the socket or of its cgroup.",
     "bpftool cgroup tree", Where::kHost},
    {"drop_reason.XFRM_POLICY", "Find the IPsec policy, and see whether it is meant to.",
     "ip -s xfrm policy"},
    {"drop_reason.IP_INNOROUTES", "Give this network namespace a route back to its clients.",
     "ip route"},
    {"drop_reason.IPV6DISABLED", "Enable IPv6 on the interface, or have clients use IPv4.",
     "sysctl -ar '\\.disable_ipv6$'"},
    {"drop_reason.TCP_MD5NOTFOUND", kKeys, ""},
    {"TcpExtTCPMD5NotFound", kKeys, ""},
    {"drop_reason.TCP_AONOTFOUND", kKeys, ""},
    {"TcpExtTCPAORequired", kKeys, ""},
    {"drop_reason.TCP_CSUM",
     "Find out what breaks checksums on the way: an interface or a tunnel that offloads them.",
     "ip -s -s link show"},
    {kUnanswered, "Look at the packet filters of this host first, then at the way there and back.",
     kRules},
    {"handshakes_unanswered",
     "See whether the third packets arrive. If they do, find the rule that drops them; if not, the "
     "route back to the clients and the filters on the way.",
     kCapture},
    {"synacks_unsent",
     "Find the rule for what this host sends (chains output and postrouting, OUTPUT, POSTROUTING) "
     "that drops its SYN-ACKs, or the route that its clients lack (ip rule: also by port).",
     "nft -a list ruleset\niptables-save -c\nip6tables-save -c\nip rule show\nip route"},
};

std::string prefixed(std::string_view prefix, std::string_view lines, std::uint16_t port) {
  constexpr std::string_view kPort = "{port}";
  std::string text;
  while (!lines.empty()) {
    text.append(text.empty() ? "" : "\n").append(prefix).append(next_line(lines));
  }
  if (const std::size_t at = text.find(kPort); at != std::string::npos) {
    text.replace(at, kPort.size(), std::to_string(port));
  }
  return text;
}

}  // namespace

std::vector<Remedy> drop_remedies(const diagnose::Finding& finding, const facts::Namespace* ns,
                                  const facts::Process* owner, std::uint16_t port) {
  std::vector<const Evidence*> reasons;
  reasons.reserve(finding.evidence.size());
  for (const Evidence& evidence : finding.evidence) reasons.push_back(&evidence);
  std::ranges::stable_sort(reasons, std::ranges::greater{},
                           [](const Evidence* each) { return each->delta.value_or(0); });
  // Then no rule is to be looked for.
  const bool is_full = std::ranges::find(finding.evidence, diagnose::kConntrackFull,
                                         &Evidence::name) != finding.evidence.end();
  std::vector<Remedy> remedies;
  for (const Evidence* reason : reasons) {
    if (is_full && (reason->name == kFiltered || reason->name == kUnanswered)) continue;
    const Advice* advice = std::ranges::find(kAdvice, reason->name, &Advice::evidence);
    if (advice == std::end(kAdvice)) continue;
    const std::string prefix =
        advice->where == Where::kInside ? into_namespace(ns, owner) : std::string();
    remedies.push_back({.form = "inspect",
                        .summary = std::string(advice->summary),
                        .content = prefixed(prefix, advice->commands, port),
                        .takes_effect = "now"});
  }
  return remedies;
}

}  // namespace acceptq::remedy
