// A process that is held back as a whole, or has run out of what accept() needs.
#include <gtest/gtest.h>

#include "diagnose/causes/causes_test_support.h"

namespace acceptq::diagnose {
namespace {

TEST(JudgeProcess, StoppedByASignalADebuggerOrTheFreezer) {
  Observation observation = full(
      thread(3985, 3985, AcceptLink::kOwner, in_call("T", "epoll_wait", {"do_signal_stop"}), 1));
  EXPECT_TRUE(says(find(report_of(observation), "AQ301"), "nginx is stopped by a signal"));
  observation.accept_evidence.processes = {{.pid = Pid(3985), .tracer = Pid(77)}};
  EXPECT_TRUE(says(find(report_of(observation), "AQ301"), "by a debugger (pid 77)"));
  // Version 2 of control groups: state S, below a call that looks idle.
  Observation frozen =
      full(thread(3985, 3985, AcceptLink::kOwner, in_call("S", "epoll_wait", {"get_signal"}), 1));
  frozen.accept_evidence.acceptors.begin()->second.threads[0].times.voluntary = 0;
  frozen.accept_evidence.processes = {{.pid = Pid(3985), .frozen_group = "/pod1"}};
  EXPECT_TRUE(says(find(report_of(frozen), "AQ301"), "is frozen by its control group /pod1"));
  EXPECT_EQ(kinds(frozen), Kinds{"stopped"});
  // Version 1: state D, which looks like storage.
  EXPECT_EQ(kinds(full(thread(3985, 3985, AcceptLink::kOwner,
                              in_call("D", "read", {"__refrigerator", "get_signal"}), 1))),
            Kinds{"stopped"});
}

// One worker of two; the other goes on.
TEST(JudgeProcess, WhichOfSeveralProcessesIsStopped) {
  Observation observation =
      full({thread(3985, 3985, AcceptLink::kOwner, in_call("T", "epoll_wait"), 1),
            thread(3986, 3986, AcceptLink::kEpoll, in_epoll(), 1)});
  observation.after.listeners[0].owners.push_back({.pid = Pid(3986), .fd = 6});
  EXPECT_TRUE(says(find(report_of(observation), "AQ301"),
                   ", in 1 of 2 processes that accept (pid 3985): 50 % of 2.0 s"));
}

// Children that inherited the listener, and are stopped; their parent waits for another server.
TEST(JudgeProcess, StoppedHelpersAreNotWhy) {
  Wait reads = in_call("S", "recvfrom");
  reads.target = facts::FileTarget{.type = "sockfs"};
  reads.target->peer = facts::IpAddress::parse("10.0.0.9");
  reads.target->peer_port = 9090;
  Observation observation = full({thread(3985, 3985, AcceptLink::kOwner, reads, 1),
                                  thread(3986, 3986, AcceptLink::kOwner, in_call("T", "kill"), 1),
                                  thread(3987, 3987, AcceptLink::kOwner, in_call("T", "kill"), 1)});
  for (const int pid : {3986, 3987}) {
    observation.after.processes.push_back({.pid = Pid(pid), .parent = Pid(3985), .comm = "nginx"});
    observation.after.listeners[0].owners.push_back({.pid = Pid(pid), .fd = 6});
  }
  auto& acceptors = observation.accept_evidence.acceptors.begin()->second;
  acceptors.held = {{.pid = Pid(3985), .most = 1}, {.pid = Pid(3986)}, {.pid = Pid(3987)}};
  EXPECT_EQ(kinds(observation), Kinds{"upstream"});
  // Where nothing tells who has clients.
  acceptors.held.clear();
  acceptors.queue_looks = acceptors.in_epoll = 0;
  EXPECT_EQ(find(report_of(observation), "AQ301"), nullptr);
  // One was in accept().
  acceptors.threads[1].link = AcceptLink::kAccept;
  EXPECT_NE(find(report_of(observation), "AQ301"), nullptr);
}

TEST(JudgeProcess, OneLookTellsWhatSpeaksForItself) {
  ThreadWatch stopped = thread(3985, 3985, AcceptLink::kOwner, in_call("T", "read"), 1);
  stopped.looks = 1;
  stopped.watched_ns = 0;
  stopped.waits[0].looks = 1;
  const Report report = report_of(full(stopped));
  ASSERT_NE(find(report, "AQ301"), nullptr);
  EXPECT_EQ(find(report, "AQ301")->cause->share, std::nullopt);
  ThreadWatch elsewhere = stopped;
  elsewhere.waits[0] = in_fuse();
  elsewhere.waits[0].looks = 1;
  Observation observation = full(elsewhere);
  EXPECT_TRUE(says(find(report_of(observation), "AQ314"), "at its threads 1 time in 2.0 s"));
  observation.seconds = 0;  // one look was asked for
  EXPECT_EQ(kinds(observation), Kinds{});
}

TEST(JudgeProcess, DescriptorsThatHaveRunOut) {
  Observation observation = full(thread(3985, 3985, AcceptLink::kEpoll, running(), 1));
  observation.accept_evidence.acceptors.begin()->second.threads[0].times.system_ns = 1'900'000'000;
  observation.after.processes[0].open_files = 63;
  observation.after.processes[0].open_files_limit = 64;
  EXPECT_EQ(kinds(observation), Kinds{"cpu.busy"});
  observation.after.processes[0].open_files = 64;
  // How many it has is not known.
  observation.after.processes[0].open_files_limit.reset();
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
  observation.after.processes[0].open_files_limit = 64;
  // It tries again and again: that is how it shows.
  EXPECT_EQ(kinds(observation).front(), "fd_limit");
  EXPECT_TRUE(says(find(report_of(observation), "AQ311"), "64 of 64 are open"));
  // Where nothing is taken, that is all that it computes.
  EXPECT_EQ(kinds(observation), (Kinds{"fd_limit", "cpu.busy"}));
  for (facts::Namespace& ns : observation.after.namespaces) ns.counters["TcpPassiveOpens"] = 0;
  EXPECT_EQ(kinds(observation), Kinds{"fd_limit"});
}

// A master with many log files, whose workers have descriptors left.
TEST(JudgeProcess, DescriptorsOfOneThatServesNobodyDoNotMatter) {
  Observation observation = full({thread(3985, 3985, AcceptLink::kOwner, Wait{.state = "S"}, 1),
                                  thread(3986, 3986, AcceptLink::kOwner, kSleeps, 1)});
  observation.after.processes[0].open_files = 64;
  observation.after.processes[0].open_files_limit = 64;
  observation.after.processes.push_back(observation.after.processes[0]);
  observation.after.processes[1].pid = Pid(3986);
  observation.after.processes[1].parent = Pid(3985);
  observation.after.processes[1].open_files = 4;
  observation.after.listeners[0].owners.push_back({.pid = Pid(3986), .fd = 6});
  EXPECT_EQ(kinds(observation).front(), "fd_limit");
  facts::Acceptors& acceptors = observation.accept_evidence.acceptors.begin()->second;
  acceptors.held = {{.pid = Pid(3985), .most = 0}, {.pid = Pid(3986), .most = 0}};
  acceptors.threads[1].closed = 10;
  EXPECT_EQ(find(report_of(observation), "AQ311"), nullptr);
}

// Varnish: another of its threads is in accept() on another listener, and has its descriptor
// already.
TEST(JudgeProcess, DescriptorsThatCallsKeep) {
  ThreadWatch waits = thread(3985, 3990, AcceptLink::kOwner, in_call("S", "accept"), 1);
  waits.waits[0].fd = 5;
  ThreadWatch spins = thread(3985, 3985, AcceptLink::kAccept, running(), 1);
  spins.times.user_ns = 1'900'000'000;
  Observation observation = full({spins, waits});
  observation.after.processes[0].open_files = 63;
  observation.after.processes[0].open_files_limit = 64;
  EXPECT_EQ(kinds(observation).front(), "fd_limit");
  const Report report = report_of(observation);
  EXPECT_TRUE(says(find(report, "AQ311"),
                   "63 of 64 are open, and one more is kept for calls of other threads"));
  EXPECT_EQ(find(report, "AQ311")->cause->detail.at("reserved"), "1");
  observation.after.processes[0].open_files = 62;
  EXPECT_EQ(kinds(observation), Kinds{"cpu.busy"});
}

}  // namespace
}  // namespace acceptq::diagnose
