// Observations as an agent makes them.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "facts/snapshot.h"

namespace acceptq::agent {

inline constexpr NetnsId kPodNetns{4026532567};
inline constexpr std::int64_t kTestSecond = 1'000'000'000;

inline facts::Process make_process(std::int32_t pid, const std::string& comm) {
  facts::Process process;
  process.pid = Pid(pid);
  process.comm = comm;
  return process;
}

inline facts::Process make_pod_process(std::int32_t pid, const std::string& comm) {
  facts::Process process = make_process(pid, comm);
  process.pod = facts::Pod{.ns = "shop", .name = "web-1", .uid = "u"};
  process.container = facts::Container{.id = std::string(64, 'a'), .name = "nginx"};
  return process;
}

inline facts::Listener make_socket(std::uint64_t cookie, std::int32_t pid, std::uint32_t length = 0,
                                   std::uint32_t limit = 128) {
  facts::Listener listener;
  listener.netns = kPodNetns;
  listener.address = *facts::IpAddress::parse("0.0.0.0");
  listener.port = 80;
  listener.cookie = SocketCookie(cookie);
  listener.accept_queue_len = QueueLength(length);
  listener.limit = QueueLimit(limit);
  listener.owners = {{.pid = Pid(pid), .fd = 3}};
  return listener;
}

inline facts::Ledger make_ledger(const facts::Listener& listener, std::uint64_t refused_at_syn) {
  facts::Ledger ledger;
  ledger.netns = listener.netns;
  ledger.address = listener.address;
  ledger.port = listener.port;
  ledger.cookie = listener.cookie;
  ledger.set(facts::LedgerTerm::kSynRefusedAcceptFull, refused_at_syn);
  ledger.set(facts::LedgerTerm::kAttemptsRefused, refused_at_syn);
  ledger.set(facts::LedgerTerm::kAccepted, 10);
  return ledger;
}

// At a second of the clock.
inline facts::Observation make_observation(std::int64_t second,
                                           std::vector<facts::Listener> listeners,
                                           std::vector<facts::Process> processes) {
  facts::Observation observation;
  observation.tracing = facts::Source::kFunctions;
  observation.seconds = 5;
  observation.after.monotonic_ns = second * kTestSecond;
  observation.before.monotonic_ns = (second - 5) * kTestSecond;
  facts::Namespace ns;
  ns.id = kPodNetns;
  ns.is_host = false;
  ns.counters["TcpExtListenOverflows"] = 7;
  observation.after.namespaces = observation.before.namespaces = {ns};
  observation.after.listeners = std::move(listeners);
  observation.after.processes = std::move(processes);
  facts::normalize(observation.after);
  return observation;
}

}  // namespace acceptq::agent
