#include "lab/ablate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

namespace acceptq::lab {
namespace {

using facts::Observation;

// With all that a signal can be.
Observation full() {
  Observation observation;
  facts::Listener listener;
  listener.protocol = facts::Protocol::kTcp;
  listener.netns = NetnsId(4026532001);
  listener.port = 80;
  listener.cookie = SocketCookie(7);
  observation.before.listeners = observation.after.listeners = {listener};
  facts::Process process{.pid = Pid(5), .comm = "nginx", .exe = "/usr/sbin/nginx"};
  process.open_files = 64;
  process.open_files_limit = 64;
  observation.before.processes = observation.after.processes = {process};
  observation.tracing = facts::Source::kFunctions;
  facts::Ledger ledger;
  ledger.port = 80;
  observation.ledgers = {ledger};
  const std::string key = facts::listener_key(listener);
  observation.samples[key] = {.count = 4, .full = 4};
  facts::Wait wait{.state = "S", .syscall = "read", .fd = 5};
  wait.target = facts::FileTarget{.type = "sockfs"};
  wait.target->local_port = 80;
  wait.lock = 0x1000;
  wait.timed = true;
  wait.stack = {"ep_poll"};
  facts::ThreadWatch thread{.pid = Pid(5), .tid = Pid(5), .comm = "nginx"};
  thread.link = facts::AcceptLink::kEpoll;
  thread.times = {.user_ns = 1, .system_ns = 2, .delay_ns = 3, .voluntary = 4, .involuntary = 5};
  thread.waits = {wait};
  thread.closed = 3;
  thread.exact = {.counted_ns = 9,
                  .on_core_ns = 1,
                  .blocked = {{.state = "S", .syscall = "read", .stack = {"ep_poll"}, .ns = 8}}};
  observation.accept_evidence.acceptors[key] = {
      .queue_looks = 4, .waited_for = 1, .in_epoll = 4, .threads = {thread}};
  observation.accept_evidence.processes = {{.pid = Pid(5),
                                            .tracer = Pid(6),
                                            .frozen_group = "/a",
                                            .cpu_groups = {{.path = "/a"}},
                                            .cpu_groups_seen = true}};
  observation.accept_evidence.fuse = {{.device = 49, .daemon_comm = "sshfs"}};
  return observation;
}

const Signal& signal(const std::string& name) {
  return *std::ranges::find_if(signals(), [&](const Signal& each) { return each.name == name; });
}

Observation without(const std::string& name) {
  Observation observation = full();
  signal(name).remove(observation);
  return observation;
}

const facts::ThreadWatch& thread_of(const Observation& observation) {
  return observation.accept_evidence.acceptors.begin()->second.threads.front();
}
const facts::Wait& wait_of(const Observation& observation) {
  return thread_of(observation).waits.front();
}

TEST(Ablate, EachSignalChangesSomethingAndOnlyOnce) {
  std::set<std::string> names;
  for (const Signal& each : signals()) {
    EXPECT_TRUE(names.insert(each.name).second) << each.name;
    Observation observation = full();
    each.remove(observation);
    EXPECT_NE(observation, full()) << each.name;
    if (std::string(each.name) == "names, ports") continue;
    const Observation once = observation;
    each.remove(observation);
    EXPECT_EQ(observation, once) << each.name;
  }
}

TEST(Ablate, TheRestStays) {
  Observation observation = without("stacks");
  EXPECT_TRUE(wait_of(observation).stack.empty());
  facts::ThreadWatch& thread = observation.accept_evidence.acceptors.begin()->second.threads[0];
  thread.waits[0].stack = thread.exact->blocked[0].stack = {"ep_poll"};
  EXPECT_EQ(observation, full());
  EXPECT_EQ(wait_of(without("descriptors")).syscall, "read");
  EXPECT_EQ(wait_of(without("descriptors")).lock, 0x1000U);
  EXPECT_EQ(thread_of(without("CPU times")).times.delay_ns, 3U);
  EXPECT_EQ(thread_of(without("tracing")), thread_of(full()));
}

// What is an argument of the call is not known without it.
TEST(Ablate, WithoutACallNeitherDescriptorNorLock) {
  const facts::Wait wait = wait_of(without("system calls"));
  EXPECT_EQ(wait.syscall, std::nullopt);
  EXPECT_EQ(wait.fd, std::nullopt);
  EXPECT_EQ(wait.target, std::nullopt);
  EXPECT_EQ(wait.lock, std::nullopt);
  EXPECT_EQ(wait.timed, std::nullopt);
}

TEST(Ablate, WhatWasCountedLacksTheSame) {
  const auto place = [](const Observation& observation) {
    return observation.accept_evidence.acceptors.begin()->second.threads[0].exact->blocked[0];
  };
  EXPECT_TRUE(place(without("stacks")).stack.empty());
  EXPECT_EQ(place(without("system calls")).syscall, std::nullopt);
}

TEST(Ablate, PortsAreOthersEverywhere) {
  const Observation observation = without("names, ports");
  const std::uint16_t port = port_without(signal("names, ports"), 80);
  EXPECT_NE(port, 80);
  EXPECT_EQ(port_without(signal("stacks"), 80), 80);
  const facts::Listener& listener = observation.after.listeners.front();
  EXPECT_EQ(listener.port, port);
  const std::string key = facts::listener_key(listener);
  EXPECT_EQ(observation.samples.begin()->first, key);
  EXPECT_EQ(observation.accept_evidence.acceptors.begin()->first, key);
  EXPECT_EQ(observation.ledgers.front().port, port);
  EXPECT_EQ(wait_of(observation).target->local_port, port);
  EXPECT_EQ(thread_of(observation).comm, "");
  EXPECT_EQ(observation.after.processes.front().comm, "");
  EXPECT_EQ(observation.after.processes.front().exe, std::nullopt);
}

TEST(Ablate, AThreadSeenInAcceptIsKnownWithoutWaitQueues) {
  EXPECT_EQ(thread_of(without("wait queues")).link, facts::AcceptLink::kOwner);
  Observation observation = full();
  observation.accept_evidence.acceptors.begin()->second.threads[0].link =
      facts::AcceptLink::kAccept;
  signal("wait queues").remove(observation);
  EXPECT_EQ(thread_of(observation).link, facts::AcceptLink::kAccept);
}

TEST(Ablate, WhatPollWaitsForIsSeenInWaitQueues) {
  Observation observation = full();
  facts::Wait& wait = observation.accept_evidence.acceptors.begin()->second.threads[0].waits[0];
  wait.syscall = "poll";
  signal("descriptors").remove(observation);
  EXPECT_NE(wait.target, std::nullopt);
  signal("wait queues").remove(observation);
  EXPECT_EQ(wait.target, std::nullopt);
}

}  // namespace
}  // namespace acceptq::lab
