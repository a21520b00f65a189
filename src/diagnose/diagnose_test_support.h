// Observations made by hand, and what to look for in their reports.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "diagnose/diagnose.h"
#include "diagnose/invariants.h"
#include "facts/snapshot.h"

namespace acceptq::diagnose {

using facts::Counters;

inline constexpr NetnsId kHost{4026531840};
inline constexpr NetnsId kPod{4026532567};

inline facts::Namespace make_namespace(NetnsId id, std::int64_t somaxconn,
                                       const Counters& counters = {}) {
  facts::Namespace ns;
  ns.id = id;
  ns.is_host = id == kHost;
  const auto value = [](std::int64_t v) {
    return facts::Sysctl{.state = facts::SysctlState::kValue, .value = v};
  };
  ns.sysctls = {{facts::kSomaxconn, value(somaxconn)}, {facts::kMaxSynBacklog, value(2048)},
                {facts::kSyncookies, value(1)},        {facts::kAbortOnOverflow, value(0)},
                {facts::kSynackRetries, value(5)},     {facts::kFastopen, value(1)}};
  ns.counters = {{"TcpExtListenOverflows", 0},  {"TcpExtListenDrops", 0},
                 {"TcpExtTCPReqQFullDrop", 0},  {"TcpExtTCPReqQFullDoCookies", 0},
                 {"TcpExtSyncookiesSent", 0},   {"TcpExtSyncookiesRecv", 0},
                 {"TcpExtSyncookiesFailed", 0}, {"TcpPassiveOpens", 0}};
  for (const auto& [name, count] : counters) ns.counters[name] = count;
  ns.counters_source = "/proc/3985/net/netstat";
  return ns;
}

inline facts::Listener make_listener(std::uint16_t port, std::uint32_t length, std::uint32_t limit,
                                     std::uint32_t drops, NetnsId netns = kPod) {
  facts::Listener listener;
  listener.netns = netns;
  listener.port = port;
  listener.cookie = SocketCookie(std::uint64_t{port} * 16);
  listener.inode = SocketInode(port);
  listener.accept_queue_len = QueueLength(length);
  listener.limit = QueueLimit(limit);
  listener.drops = drops;
  listener.owners = {{.pid = Pid(3985), .fd = 6}};
  listener.owners_complete = true;
  return listener;
}

// A pod beside a host whose somaxconn is 32768.
inline facts::Observation observe(std::vector<facts::Listener> before, facts::Namespace ns_before,
                                  std::vector<facts::Listener> after, facts::Namespace ns_after,
                                  double seconds = 2) {
  facts::Observation observation;
  observation.seconds = seconds;
  observation.before.host.kernel = observation.after.host.kernel = "6.1.0-56-amd64";
  observation.before.listeners = std::move(before);
  observation.after.listeners = std::move(after);
  observation.before.namespaces = {make_namespace(kHost, 32768), std::move(ns_before)};
  observation.after.namespaces = {make_namespace(kHost, 32768), std::move(ns_after)};
  facts::normalize(observation.before);
  facts::normalize(observation.after);
  return observation;
}

// What diagnose() says, which must not contradict itself.
inline Report report_of(const facts::Observation& observation) {
  Report report = diagnose(observation);
  EXPECT_EQ(contradictions(report, observation.after), std::vector<std::string>{});
  return report;
}

inline const Finding* find(const Report& report, std::string_view id) {
  const auto it = std::ranges::find(report.findings, id, &Finding::id);
  return it != report.findings.end() ? &*it : nullptr;
}

inline bool says(const Finding* finding, std::string_view words) {
  return finding != nullptr && finding->explanation.find(words) != std::string::npos;
}

inline facts::Ledger make_ledger(const facts::Listener& listener, std::uint64_t at_syn,
                                 std::uint64_t at_ack) {
  facts::Ledger ledger;
  ledger.netns = listener.netns;
  ledger.port = listener.port;
  ledger.cookie = listener.cookie;
  ledger.set(facts::LedgerTerm::kSynRefusedAcceptFull, at_syn);
  ledger.set(facts::LedgerTerm::kAckRefusedFull, at_ack);
  ledger.set(facts::LedgerTerm::kAttemptsRefused, at_syn);
  ledger.addresses = 2;
  return ledger;
}

}  // namespace acceptq::diagnose
