// Whose time counts, of those that hold a listener.
#include <gtest/gtest.h>

#include "diagnose/causes/causes_test_support.h"

namespace acceptq::diagnose {
namespace {

// A process for each connection: they sleep, and it is their parent that is to accept.
TEST(ChosenThreads, ChildrenThatComeAndGoDoNotAccept) {
  const auto sleeps = in_call("S", "clock_nanosleep", {"hrtimer_nanosleep"});
  facts::Observation observation =
      full({thread(3985, 3985, AcceptLink::kOwner, in_call("S", "wait4", {"do_wait"}), 1),
            thread(3990, 3990, AcceptLink::kOwner, sleeps, 1),
            thread(3991, 3991, AcceptLink::kOwner, sleeps, 1)});
  const facts::Process parent = observation.after.processes[0];
  const auto own = [&](facts::Snapshot& snapshot, const std::vector<int>& children) {
    snapshot.processes = {parent};
    for (const int pid : children) {
      snapshot.processes.push_back({.pid = Pid(pid), .parent = Pid(3985), .comm = "nginx"});
      snapshot.listeners[0].owners.push_back({.pid = Pid(pid), .fd = 6});
    }
  };
  // Workers that stay are those that sleep.
  facts::Observation pool = observation;
  own(pool.before, {3990, 3991});
  own(pool.after, {3990, 3991});
  EXPECT_EQ(kinds(pool), Kinds{"sleep"});
  own(observation.before, {3990});
  own(observation.after, {3991});
  const Report report = report_of(observation);
  EXPECT_TRUE(says(find(report, "AQ312"), "nginx waits for its child processes"));
  EXPECT_EQ(find(report, "AQ308"), nullptr);
}

// Gunicorn's master ends workers that hang, and begins others.
TEST(ChosenThreads, WorkersThatAreReplacedAreStillWorkers) {
  Wait orders = in_call("S", "pselect6", {"do_select"});
  orders.polled = facts::Polled::kNothing;
  Wait reads = in_call("S", "recvfrom", {"sk_wait_data"});
  reads.target = facts::FileTarget{.type = "sockfs"};
  reads.target->local = reads.target->peer = facts::IpAddress::parse("10.0.0.5");
  reads.target->local_port = 80;
  Observation observation = full({thread(3985, 3985, AcceptLink::kOwner, orders, 1),
                                  thread(3990, 3990, AcceptLink::kOwner, reads, 1),
                                  thread(3991, 3991, AcceptLink::kOwner, reads, 1)});
  const facts::Process master = observation.after.processes[0];
  const auto own = [&](facts::Snapshot& snapshot, int first, int second) {
    snapshot.processes = {master};
    for (const int pid : {first, second}) {
      snapshot.processes.push_back({.pid = Pid(pid), .parent = Pid(3985), .comm = "nginx"});
      snapshot.listeners[0].owners.push_back({.pid = Pid(pid), .fd = 6});
    }
  };
  own(observation.before, 3990, 3991);
  own(observation.after, 3991, 3995);
  EXPECT_EQ(kinds(observation), Kinds{"client"});
}

// A master waits for its children and accepts nothing; its workers were in no call that tells.
TEST(ChosenThreads, MastersAndIdleThreadsDoNotCount) {
  const Observation observation =
      full({thread(3985, 3985, AcceptLink::kOwner, in_call("S", "rt_sigsuspend"), 1),
            thread(3986, 3986, AcceptLink::kOwner, in_fuse(), 1),
            thread(3987, 3987, AcceptLink::kOwner, in_fuse(), 1)});
  const Report report = report_of(observation);
  ASSERT_NE(find(report, "AQ310"), nullptr);
  EXPECT_DOUBLE_EQ(*find(report, "AQ310")->cause->share, 1);
  // An event loop beside a pool of threads that have nothing to do.
  const Observation loop = full({thread(3985, 3985, AcceptLink::kOwner, in_fuse(), 1),
                                 thread(3985, 3990, AcceptLink::kOwner, in_call("S", "futex"), 1),
                                 thread(3985, 3991, AcceptLink::kOwner, in_call("S", "futex"), 1)});
  EXPECT_EQ(kinds(loop), Kinds{"io.fuse"});
}

// One worker hangs for good, and the other makes all of what is accepted.
TEST(ChosenThreads, AWorkerThatServesCountsBesideOneThatHangs) {
  Wait reads = in_call("S", "recvfrom");
  reads.target = facts::FileTarget{.type = "sockfs"};
  reads.target->local = reads.target->peer = facts::IpAddress::parse("127.0.0.1");
  reads.target->local_port = 51234;
  reads.target->peer_port = 9000;
  ThreadWatch hangs = thread(3985, 3985, AcceptLink::kOwner, reads, 1);
  ThreadWatch serves = thread(3986, 3986, AcceptLink::kOwner, in_call("S", "clock_nanosleep"), 1);
  EXPECT_EQ(kinds(full({hangs, serves})), Kinds{"upstream"});
  serves.closed = 10;
  EXPECT_EQ(kinds(full({hangs, serves})), (Kinds{"upstream", "sleep"}));
}

// As of Gunicorn and PHP-FPM: it waits for what its workers say, while they sleep.
TEST(ChosenThreads, AMasterThatWaitsForOrdersIsNotAWorker) {
  Wait orders = in_call("S", "select", {"do_select"});
  Observation observation =
      full({thread(3985, 3985, AcceptLink::kOwner, orders, 1),
            thread(3986, 3986, AcceptLink::kOwner, in_call("S", "clock_nanosleep"), 1)});
  observation.after.processes.push_back({.pid = Pid(3986), .parent = Pid(3985), .comm = "nginx"});
  observation.after.listeners[0].owners.push_back({.pid = Pid(3986), .fd = 6});
  Wait& waits = observation.accept_evidence.acceptors.begin()->second.threads[0].waits[0];
  const auto share = [&] { return *find(report_of(observation), "AQ308")->cause->share; };
  EXPECT_DOUBLE_EQ(share(), 0.5);
  for (const auto polled : {facts::Polled::kPipes, facts::Polled::kNothing}) {
    waits.polled = polled;
    EXPECT_DOUBLE_EQ(share(), 1);
  }
  // Before its descriptors were looked into, and when it ran, nothing tells what it waits for.
  Observation partly = observation;
  auto& of_master = partly.accept_evidence.acceptors.begin()->second.threads[0].waits;
  of_master = {of_master[0], orders, running()};
  of_master[0].looks = kLooks / 2;
  of_master[1].looks = of_master[2].looks = kLooks / 4;
  EXPECT_DOUBLE_EQ(*find(report_of(partly), "AQ308")->cause->share, 1);
  // A server that has as many clients as it may have waits for these.
  waits.polled = facts::Polled::kClients;
  EXPECT_DOUBLE_EQ(share(), 0.5);
  // It waits for one server, and its child knows nothing of that.
  waits.polled = facts::Polled::kNothing;
  waits.target = facts::FileTarget{.type = "sockfs"};
  waits.target->peer = facts::IpAddress::parse("10.0.0.9");
  EXPECT_NE(find(report_of(observation), "AQ307"), nullptr);
  waits.target.reset();
  // It is nobody's parent.
  waits.polled = facts::Polled::kPipes;
  observation.after.processes.back().parent = Pid(1);
  EXPECT_LT(share(), 1);
}

// A helper that inherited the listener has none of its clients.
TEST(ChosenThreads, WhoHasNoClientsIsABystander) {
  Observation observation =
      full({thread(3985, 3985, AcceptLink::kOwner, in_fuse(), 1),
            thread(3986, 3986, AcceptLink::kOwner, in_call("S", "clock_nanosleep"), 1)});
  auto& acceptors = observation.accept_evidence.acceptors.begin()->second;
  acceptors.threads[1].closed = 0;
  acceptors.held = {{.pid = Pid(3985), .most = 1}, {.pid = Pid(3986), .most = 0}};
  EXPECT_EQ(kinds(observation), Kinds{"io.fuse"});
  acceptors.held = {{.pid = Pid(3985), .most = 0}, {.pid = Pid(3986), .most = 1}};
  EXPECT_EQ(kinds(observation), Kinds{"sleep"});
  // It is the parent that accepts, and its child has the client.
  acceptors.threads[0].waits[0] = in_call("S", "wait4", {"do_wait"});
  acceptors.threads[0].waits[0].looks = kLooks;
  observation.after.processes.push_back({.pid = Pid(3986), .parent = Pid(3985), .comm = "nginx"});
  observation.after.listeners[0].owners.push_back({.pid = Pid(3986), .fd = 6});
  EXPECT_EQ(find(report_of(observation), "AQ308")->cause->share, 0.5);
  observation.after.processes.back().parent = Pid(1);
  acceptors.threads[0].waits[0] = in_fuse();
  acceptors.threads[0].waits[0].looks = kLooks;
  // One that lets clients go serves them, whatever a look shows.
  acceptors.threads[0].closed = 3;
  EXPECT_EQ(kinds(observation), (Kinds{"sleep", "io.fuse"}));
  acceptors.held[1].most = 0;
  EXPECT_EQ(kinds(observation), Kinds{"io.fuse"});
}

// A debugger stopped one of two workers while it had no client.
TEST(ChosenThreads, AWorkerThatMayNotRunHasNoClientsForThatReason) {
  const Wait traced = in_call("t", "pselect6", {"ptrace_stop", "get_signal"});
  Observation observation =
      full_without_epoll({thread(3990, 3990, AcceptLink::kOwner, in_fuse(), 1),
                          thread(3991, 3991, AcceptLink::kOwner, traced, 1)});
  auto& acceptors = observation.accept_evidence.acceptors.begin()->second;
  acceptors.held = {{.pid = Pid(3990), .most = 1}, {.pid = Pid(3991), .most = 0}};
  for (const int pid : {3990, 3991}) {
    observation.after.processes.push_back({.pid = Pid(pid), .parent = Pid(3985), .comm = "nginx"});
    observation.after.listeners[0].owners.push_back({.pid = Pid(pid), .fd = 6});
  }
  EXPECT_EQ(kinds(observation), (Kinds{"stopped", "io.fuse"}));
  // As a manager of workers is, which inherited the listener and was stopped at its work.
  acceptors.threads[1].waits[0].syscall = "futex";
  EXPECT_EQ(kinds(observation), Kinds{"io.fuse"});
  acceptors.threads[1].waits[0].syscall = "pselect6";
  observation.after.processes.back().comm = "tail";
  EXPECT_EQ(kinds(observation), Kinds{"io.fuse"});
}

// A bounded queue between the thread that accepts and those that serve, which wait for a database.
TEST(ChosenThreads, WhoHandsOverToAPoolWaitsForThat) {
  ThreadWatch accepts = serves(kPid, at_lock(false), 0, 20, 19);
  accepts.link = AcceptLink::kAccept;
  const auto of = [&](std::optional<std::uint32_t> unanswered) {
    Observation observation =
        full_without_epoll({accepts, serves(3990, reads_from_peer(), 10, 10, 0),
                            serves(3991, reads_from_peer(), 10, 10, 0)});
    observation.accept_evidence.acceptors.begin()->second.held = {
        {.pid = Pid(kPid), .most = 8, .silent = 0, .asked = 2, .unanswered = unanswered}};
    return kinds(observation);
  };
  EXPECT_EQ(of(8), Kinds{"upstream"});
  // Nobody waits between them: it may be for what another thread has.
  EXPECT_EQ(of(3), Kinds{"lock"});
  // Where that is not known, any of them may be the one that tells.
  EXPECT_EQ(of(std::nullopt), Kinds{"upstream"});
  accepts.waits[0].contended = true;
  EXPECT_EQ(of(8), Kinds{"lock"});
}

// Helpers that read from a peer for good, beside workers at a semaphore that died with its holder.
TEST(ChosenThreads, WhoAsksForNoClientIsNotTheOnlyOneToAccept) {
  const Wait semaphore = in_call("S", "semtimedop", {"__do_semtimedop"});
  Observation observation = stuck({thread(3985, 3985, AcceptLink::kOwner, semaphore, 1),
                                   thread(3986, 3986, AcceptLink::kOwner, semaphore, 1),
                                   thread(3987, 3987, AcceptLink::kOwner, reads_from_peer(), 1)});
  facts::Acceptors& acceptors = observation.accept_evidence.acceptors.begin()->second;
  acceptors.in_epoll = 0;
  for (const int pid : {3985, 3986, 3987}) acceptors.held.push_back({.pid = Pid(pid), .most = 0});
  EXPECT_EQ(kinds(observation), (Kinds{"lock", "upstream"}));
  // It has a client.
  acceptors.held[2].most = 1;
  EXPECT_EQ(kinds(observation), Kinds{"upstream"});
}

// A child that has ended, and that nobody has waited for, is no thread that could accept.
TEST(ChosenThreads, TheDeadDoNotCount) {
  const Observation observation =
      full({thread(3985, 3985, AcceptLink::kOwner, in_fuse(), 1),
            thread(3986, 3986, AcceptLink::kOwner, in_call("Z", "exit_group"), 1)});
  EXPECT_DOUBLE_EQ(*find(report_of(observation), "AQ310")->cause->share, 1);
}

// Of a server with a thread for each of its two addresses.
TEST(ChosenThreads, WhoAcceptsForAnotherListenerIsNotIdle) {
  Wait accepts = in_call("S", "accept4", {"inet_csk_accept"});
  accepts.fd = 7;
  Wait lock = in_call("S", "futex", {"futex_wait_queue"});
  lock.lock = 0x1000;
  lock.timed = false;
  Observation observation = full({thread(3985, 3985, AcceptLink::kOwner, accepts, 1),
                                  thread(3985, 3990, AcceptLink::kOwner, lock, 1)});
  observation.accept_evidence.acceptors.begin()->second.in_epoll = 0;
  EXPECT_EQ(kinds(observation), Kinds{"lock"});
}

// Its workers wait for a lock that was taken when they were forked, while a thread of the master's
// sleeps for its own sake.
TEST(ChosenThreads, AMasterWithThreadsForOtherThingsIsNotAWorker) {
  Wait lock = in_call("S", "futex", {"futex_wait_queue"});
  lock.timed = false;
  Observation observation =
      full({thread(3985, 3985, AcceptLink::kOwner, in_call("S", "wait4", {"do_wait"}), 1),
            thread(3985, 3990, AcceptLink::kOwner, in_call("S", "clock_nanosleep"), 1),
            thread(3986, 3986, AcceptLink::kOwner, lock, 1),
            thread(3987, 3987, AcceptLink::kOwner, lock, 1)});
  for (const int pid : {3986, 3987}) {
    observation.after.processes.push_back({.pid = Pid(pid), .parent = Pid(3985), .comm = "nginx"});
    observation.after.listeners[0].owners.push_back({.pid = Pid(pid), .fd = 6});
  }
  auto& held = observation.accept_evidence.acceptors.begin()->second.held;
  held = {{.pid = Pid(3985), .most = 0}, {.pid = Pid(3986), .most = 1}, {.pid = Pid(3987)}};
  EXPECT_EQ(kinds(observation), Kinds{"lock"});
  // One that has a client serves it.
  held[0].most = 1;
  EXPECT_NE(kinds(observation), Kinds{"lock"});
}

// A Go program whose log nobody reads: what is to accept waits for the one that writes, and has no
// thread meanwhile.
TEST(ChosenThreads, TheOneThreadThatIsBlockedAmongParkedOnes) {
  Wait parked = in_call("S", "futex", {"futex_wait_queue"});
  parked.timed = false;
  Wait writes = in_call("S", "write", {"anon_pipe_write", "fifo_pipe_write"});
  writes.target = facts::FileTarget{.type = "tmpfs", .path = "/run/log.fifo"};
  ThreadWatch blocked = thread(3985, 3992, AcceptLink::kOwner, writes, 1);
  blocked.times.voluntary = 0;
  Observation observation = stuck({thread(3985, 3985, AcceptLink::kEpoll, parked, 0.5), blocked,
                                   thread(3985, 3993, AcceptLink::kOwner, parked, 1)});
  observation.accept_evidence.acceptors.begin()->second.waited_for = kLooks;
  // Of another program nothing says what waits at its locks: it is a guess.
  EXPECT_EQ(kinds(observation), Kinds{"pipe"});
  EXPECT_LE(find(report_of(observation), "AQ306")->confidence, 0.6);
  observation.after.processes[0].language = "go";
  EXPECT_EQ(kinds(observation), Kinds{"pipe"});
  EXPECT_GT(find(report_of(observation), "AQ306")->confidence, 0.6);
  // It goes on, and so does who waits for it.
  facts::Acceptors& acceptors = observation.accept_evidence.acceptors.begin()->second;
  // Each of the 20 that are taken waits for a line to be written.
  for (facts::Namespace& ns : observation.after.namespaces) ns.counters["TcpPassiveOpens"] = 20;
  acceptors.threads[1].times.voluntary = 9;
  EXPECT_EQ(kinds(observation), Kinds{"pipe"});
  // They are taken, and it does not move.
  acceptors.threads[1].times.voluntary = 0;
  acceptors.held = {{.pid = Pid(3985), .most = 3, .silent = 0, .asked = 0, .unanswered = 0}};
  EXPECT_EQ(kinds(observation), Kinds{"not_accepting"});
  // What accepts may wait for another server, of which nothing tells but its connections.
  acceptors.held.clear();
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
}

// A limit of connections, all of idle clients, beside a goroutine that computes.
TEST(ChosenThreads, WhatOtherGoroutinesComputeKeepsNoClient) {
  Wait parked = in_call("S", "futex", {"futex_wait_queue"});
  parked.timed = false;
  ThreadWatch computes = thread(3985, 3990, AcceptLink::kOwner, running(), 1);
  computes.times.user_ns = 1'900'000'000;
  Observation observation = stuck({thread(3985, 3985, AcceptLink::kEpoll, in_epoll(), 1), computes,
                                   thread(3985, 3991, AcceptLink::kOwner, parked, 1)});
  observation.after.processes[0].language = "go";
  facts::Acceptors& acceptors = observation.accept_evidence.acceptors.begin()->second;
  acceptors.waited_for = kLooks;
  acceptors.held = {{.pid = Pid(3985), .most = 48, .silent = 48, .asked = 0, .unanswered = 0}};
  EXPECT_EQ(kinds(observation), Kinds{"not_accepting"});
  EXPECT_TRUE(says(find(report_of(observation), "AQ312"),
                   "It has 48 connections of this listener open: it may be at its own limit"));
  // It may be what the one that accepts waits for.
  acceptors.held[0].unanswered = 1;
  EXPECT_EQ(kinds(observation).front(), "cpu.busy");
  acceptors.held.clear();
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
}

// What one goroutine computes, and what is collected for it, goes on in any thread.
TEST(ChosenThreads, GoroutinesThatFillACoreTogether) {
  Wait parked = in_call("S", "futex", {"futex_wait_queue"});
  parked.timed = false;
  const auto runs = [&](int tid, double share) {
    ThreadWatch runs = thread(3985, tid, AcceptLink::kOwner, running(), share);
    runs.waits[1] = parked;
    runs.waits[1].looks = kLooks - runs.waits[0].looks;
    runs.times.user_ns = static_cast<std::uint64_t>(share * 2e9);
    return runs;
  };
  const auto of = [&](double each) {
    Observation observation =
        full({thread(3985, 3985, AcceptLink::kOwner, parked, 1), runs(3990, each), runs(3991, each),
              thread(3985, 3992, AcceptLink::kOwner, in_call("S", "nanosleep"), 1)});
    observation.after.processes[0].language = "go";
    observation.accept_evidence.acceptors.begin()->second.held = {
        {.pid = Pid(3985), .most = 1, .silent = 0, .asked = 0}};
    return observation;
  };
  EXPECT_EQ(kinds(of(0.4)), Kinds{"cpu.busy"});
  EXPECT_TRUE(says(find(report_of(of(0.4)), "AQ304"), "goes on in any of its threads"));
  EXPECT_EQ(kinds(of(0.2)), Kinds{"unknown"});
  // Another server is asked: the goroutine that accepts may wait for it.
  Observation asks = of(0.4);
  asks.accept_evidence.acceptors.begin()->second.held[0].asked = 1;
  EXPECT_EQ(kinds(asks), Kinds{"unknown"});
}

}  // namespace
}  // namespace acceptq::diagnose
