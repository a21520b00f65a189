// A listener in trouble, and threads of its server that wait for something.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "diagnose/diagnose_test_support.h"

namespace acceptq::diagnose {

using facts::AcceptLink;
using facts::Observation;
using facts::ThreadWatch;
using facts::Wait;

constexpr int kPid = 3985;
constexpr std::uint32_t kLooks = 100;
constexpr std::int64_t kSecond = 1'000'000'000;

inline Wait in_epoll() {
  return {.state = "S", .syscall = "epoll_wait", .fd = 8, .stack = {"ep_poll", "do_epoll_wait"}};
}
inline Wait in_fuse() {
  return {.state = "S",
          .syscall = "read",
          .fd = 11,
          .target = facts::FileTarget{.type = "fuse", .device = 49, .path = "/mnt/a/x.jpg"},
          .stack = {"request_wait_answer", "fuse_simple_request", "fuse_send_open"}};
}
inline Wait in_call(const char* state, const char* call, std::vector<std::string> stack = {}) {
  return {.state = state, .syscall = call, .stack = std::move(stack)};
}
inline Wait running() { return {.state = "R"}; }

// A thread that spent `share` of 2 s in `wait`, and the rest waiting for connections.
inline ThreadWatch thread(int pid, int tid, AcceptLink link, Wait wait, double share) {
  ThreadWatch thread{.pid = Pid(pid), .tid = Pid(tid), .comm = "server", .link = link};
  thread.looks = kLooks;
  thread.watched_ns = 2 * kSecond;
  wait.looks = static_cast<std::uint32_t>(share * kLooks);
  thread.waits = {wait};
  if (wait.looks < kLooks) {
    thread.waits.push_back(in_epoll());
    thread.waits.back().looks = kLooks - wait.looks;
  }
  thread.times = {.user_ns = 0, .system_ns = 0, .delay_ns = 0, .voluntary = 40};
  return thread;
}

// A listener of :80 whose queue was full all the time, and its threads.
inline Observation full(std::vector<ThreadWatch> threads) {
  Observation observation = observe(
      {make_listener(80, 129, 128, 0)}, make_namespace(kPod, 128),
      {make_listener(80, 129, 128, 50)},
      make_namespace(
          kPod, 128,
          {{"TcpExtListenOverflows", 50}, {"TcpExtListenDrops", 50}, {"TcpPassiveOpens", 20}}));
  const std::string key = facts::listener_key(observation.after.listeners[0]);
  observation.samples[key] = {.count = 40, .full = 40, .longest = QueueLength(129)};
  observation.after.processes = {{.pid = Pid(3985), .comm = "nginx"}};
  observation.after.processes[0].open_files = 10;
  observation.after.processes[0].open_files_limit = 1024;
  observation.accept_evidence.processes = {{.pid = Pid(3985), .cpu_groups_seen = true}};
  facts::Acceptors& acceptors = observation.accept_evidence.acceptors[key];
  acceptors.queue_looks = kLooks;
  acceptors.in_epoll = kLooks;
  acceptors.threads = std::move(threads);
  return observation;
}

inline Observation full(ThreadWatch only) {
  return full(std::vector<ThreadWatch>{std::move(only)});
}

// Of a server that has no event loop.
inline Observation full_without_epoll(std::vector<ThreadWatch> threads) {
  Observation observation = full(std::move(threads));
  observation.accept_evidence.acceptors.begin()->second.in_epoll = 0;
  return observation;
}

inline Wait at_lock(bool timed) {
  Wait wait = in_call("S", "futex", {"futex_wait_queue"});
  wait.timed = timed;
  return wait;
}

inline ThreadWatch still(int tid, Wait wait) {
  ThreadWatch still = thread(kPid, tid, AcceptLink::kOwner, std::move(wait), 1);
  still.times.voluntary = 0;
  return still;
}

// It closed connections, and was in `wait` all the time, `times` times.
inline ThreadWatch serves(int tid, const Wait& wait, std::uint64_t closed, std::uint64_t times,
                          std::uint64_t woken) {
  ThreadWatch serves = thread(kPid, tid, AcceptLink::kOwner, wait, 1);
  serves.closed = closed;
  serves.exact = facts::ExactTime{.counted_ns = 2'000'000'000,
                                  .blocked = {{.state = wait.state,
                                               .syscall = wait.syscall,
                                               .stack = wait.stack,
                                               .ns = 2'000'000'000,
                                               .times = times,
                                               .woken = woken}}};
  return serves;
}

// Of which nothing was taken meanwhile.
inline Observation stuck(const std::vector<ThreadWatch>& threads) {
  Observation observation = full(threads);
  for (facts::Namespace& ns : observation.after.namespaces) ns.counters["TcpPassiveOpens"] = 0;
  return observation;
}

// recv() of a connection to another server.
inline Wait reads_from_peer() {
  Wait reads = in_call("S", "read", {"sk_wait_data", "tcp_recvmsg"});
  reads.target = facts::FileTarget{.type = "sockfs"};
  reads.target->peer = facts::IpAddress::parse("10.0.0.9");
  reads.target->peer_port = 5432;
  return reads;
}

// recv() of a client's connection.
inline Wait reads_from_client() {
  Wait reads = reads_from_peer();
  reads.target->local = facts::IpAddress::parse("10.0.0.5");
  reads.target->local_port = 80;
  reads.target->peer_port = 50000;
  return reads;
}

inline const Wait kSleeps = in_call("S", "clock_nanosleep", {"hrtimer_nanosleep"});

// The causes of a report, the first that is named first.
inline std::vector<std::string> kinds(const Observation& observation) {
  std::vector<std::string> names;
  const Report report = report_of(observation);
  for (const Finding& finding : report.findings) {
    if (finding.cause) names.emplace_back(cause_name(finding.cause->kind));
  }
  return names;
}

using Kinds = std::vector<std::string>;

}  // namespace acceptq::diagnose
