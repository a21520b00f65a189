// Processes of which no thread was seen to accept, and the nearest facts that tell nothing.
#include "diagnose/causes/unseen_threads.h"

#include <gtest/gtest.h>

#include "diagnose/causes/causes_test_support.h"

namespace acceptq::diagnose {
namespace {

// Beside a server of UDP, which waits for datagrams.
TEST(UnseenThreads, TheOneThreadThatIsNotParkedKeepsTheOnlyClient) {
  Wait datagrams = in_call("S", "recvfrom", {"__skb_wait_for_more_packets", "__skb_recv_udp"});
  datagrams.target = facts::FileTarget{.type = "sockfs"};
  Observation observation = stuck({still(kPid, at_lock(false)), still(3990, datagrams),
                                   still(3991, in_call("S", "flock", {"flock_lock_inode_wait"}))});
  facts::Acceptors& acceptors = observation.accept_evidence.acceptors.begin()->second;
  acceptors.in_epoll = acceptors.waited_for = 0;
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
  acceptors.held = {{.pid = Pid(kPid), .most = 1, .silent = 0, .asked = 0, .unanswered = 1}};
  EXPECT_EQ(kinds(observation), Kinds{"lock"});
  acceptors.held[0].unanswered = 0;
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
}

// Java's Thread.sleep() between two calls of accept(); the threads of its pool have time.
TEST(UnseenThreads, TheOneThatSleepsForEachConnectionPacesAccept) {
  const auto acceptor = [](std::uint64_t times, std::uint64_t woken) {
    ThreadWatch sleeps = serves(3990, at_lock(true), 0, times, woken);
    sleeps.times.voluntary = times;
    return sleeps;
  };
  const auto of = [](const std::vector<ThreadWatch>& threads) {
    return full_without_epoll(threads);  // of which 20 connections are taken
  };
  const ThreadWatch first = still(kPid, at_lock(false));
  const ThreadWatch worker = serves(3991, at_lock(false), 20, 20, 20);
  EXPECT_EQ(kinds(of({first, acceptor(20, 0), worker})), Kinds{"sleep"});
  EXPECT_TRUE(says(find(report_of(of({first, acceptor(21, 0), worker})), "AQ308"),
                   "about once for each connection that is taken"));
  EXPECT_EQ(kinds(of({first, acceptor(15, 0), worker})), Kinds{"unknown"});
  EXPECT_EQ(kinds(of({first, acceptor(20, 15), worker})), Kinds{"unknown"});
  EXPECT_EQ(kinds(of({first, acceptor(20, 0), acceptor(20, 0), worker})), Kinds{"unknown"});
  const ThreadWatch computes = thread(kPid, 3992, AcceptLink::kOwner, running(), 1);
  EXPECT_EQ(kinds(of({first, acceptor(20, 0), worker, computes})), Kinds{"unknown"});
}

// A mutex of Rust, of which nobody knows from outside whether another thread has it.
TEST(UnseenThreads, WhoWasCountedInAcceptIsTheOneThatWaits) {
  ThreadWatch accepts = serves(kPid, at_lock(false), 0, 2, 0);
  accepts.times.voluntary = 4;
  facts::BlockedTime in_accept{.state = "S", .syscall = "accept4", .ns = 20'000'000, .times = 2};
  accepts.exact->blocked[0].ns -= in_accept.ns;
  accepts.exact->blocked.push_back(in_accept);
  ThreadWatch computes = thread(kPid, 3990, AcceptLink::kOwner, running(), 1);
  computes.times.user_ns = 1'900'000'000;
  const Observation observation = full_without_epoll({accepts, computes});
  EXPECT_EQ(kinds(observation), Kinds{"lock"});
  // It may have been for another listener, or another thread's turn.
  Observation two = observation;
  facts::Listener other = two.after.listeners[0];
  other.cookie = SocketCookie(99);
  other.port = 8081;
  two.after.listeners.push_back(other);
  facts::normalize(two.after);
  EXPECT_EQ(kinds(two), Kinds{"unknown"});
  accepts.tid = Pid(3991);
  EXPECT_EQ(
      kinds(full_without_epoll(
          {accepts, computes, observation.accept_evidence.acceptors.begin()->second.threads[0]})),
      Kinds{"unknown"});
}

// As in Go: who waits for events gives the work to any thread, and waits for none when it should
// accept. Its own wait for a turn is no lock.
TEST(UnseenThreads, ThoseThatWaitForEventsInVainDoNotAccept) {
  const ThreadWatch waits = thread(kPid, 3989, AcceptLink::kEpoll, at_lock(false), 0.4);
  std::vector<ThreadWatch> threads = {waits, still(kPid, in_fuse()), still(3990, in_fuse())};
  EXPECT_EQ(kinds(stuck(threads)), Kinds{"io.fuse"});
  threads.resize(1);
  EXPECT_EQ(kinds(stuck(threads)), Kinds{"unknown"});
}

// The one that reads has the lock under which the others accept, one after the other.
TEST(UnseenThreads, WhoWaitsForAllTheClientsThatThereAreKeepsTheOthers) {
  const Wait reads = reads_from_client();
  ThreadWatch naps = thread(kPid, 3995, AcceptLink::kOwner, kSleeps, 1);
  naps.times.voluntary = 3;
  Observation observation = stuck({still(kPid, at_lock(false)), still(3990, reads),
                                   still(3991, at_lock(false)), still(3992, at_lock(false)), naps});
  facts::Acceptors& acceptors = observation.accept_evidence.acceptors.begin()->second;
  acceptors.in_epoll = 0;
  acceptors.held = {{.pid = Pid(kPid), .most = 1}};
  EXPECT_EQ(kinds(observation), Kinds{"client"});
  // So does one that reads events.
  Wait events = in_call("S", "read", {"inotify_read"});
  events.target = facts::FileTarget{.type = "anon_inodefs"};
  acceptors.threads.push_back(still(3996, events));
  EXPECT_EQ(kinds(observation), Kinds{"client"});
  // It may be the one that is to accept, and sleeps for long.
  acceptors.threads[4].times.voluntary = 0;
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
  acceptors.threads[4].times.voluntary = 3;
  // Another client's connection is in somebody's hands.
  acceptors.held[0].most = 2;
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
}

// Node's Atomics.wait() in the event loop, beside a worker that computes.
TEST(UnseenThreads, WhoSleepsNowAndThenMayBeTheOneThatAccepts) {
  ThreadWatch main = thread(kPid, kPid, AcceptLink::kOwner, at_lock(true), 1);
  main.times.voluntary = 6;
  ThreadWatch computes = thread(kPid, 3990, AcceptLink::kOwner, running(), 1);
  computes.times.user_ns = 1'900'000'000;
  const auto named = [&] {
    return kinds(full({main, computes, still(3991, at_lock(false)), still(3992, at_lock(false))}));
  };
  EXPECT_EQ(named(), Kinds{"unknown"});
  main.times.voluntary = 0;
  EXPECT_EQ(named(), Kinds{"cpu.busy"});
}

// Any of its threads may go on with what the one in the event loop began.
TEST(UnseenThreads, OneThatComputesBesideAnEventLoopMayBeWhy) {
  ThreadWatch computes = still(kPid, running());
  computes.times.user_ns = 1'900'000'000;
  const ThreadWatch loop = thread(kPid, 3990, AcceptLink::kEpoll, in_epoll(), 1);
  EXPECT_EQ(kinds(full({loop, still(3991, at_lock(false))})), Kinds{"not_accepting"});
  EXPECT_NE(kinds(full({computes, loop})), Kinds{"not_accepting"});
}

// As in Java: the runtime's own threads, the first one, and one that works.
TEST(UnseenThreads, TheOneThreadOfTheProgramThatLeftItsEventLoop) {
  Wait reads = in_call("S", "read", {"sk_wait_data", "tcp_recvmsg"});
  reads.target = facts::FileTarget{.type = "sockfs"};
  reads.target->local = reads.target->peer = facts::IpAddress::parse("127.0.0.1");
  reads.target->local_port = 36534;
  reads.target->peer_port = 9090;
  std::vector<ThreadWatch> threads = {still(kPid, at_lock(false)), still(3990, reads),
                                      still(3991, at_lock(true)), still(3992, at_lock(false))};
  threads[2].comm = "VM Periodic Tas";
  threads[3].comm = "Reference Handl";
  Observation observation = full(threads);
  EXPECT_EQ(kinds(observation), Kinds{"upstream"});
  // No epoll holds the listener; or somebody waits there at times.
  facts::Acceptors& acceptors = observation.accept_evidence.acceptors.begin()->second;
  acceptors.in_epoll = 0;
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
  acceptors.in_epoll = kLooks;
  acceptors.waited_for = 1;
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
  acceptors.waited_for = 0;
  // Another thread of the program may be the one, which waits for a lock.
  acceptors.threads[3].comm = "worker-1";
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
  // Nobody writes to a full pipe for want of work, while a client waits for an answer.
  Observation writes = observation;
  facts::Acceptors& of_writer = writes.accept_evidence.acceptors.begin()->second;
  Wait pipe = in_call("S", "write", {"anon_pipe_write"});
  pipe.looks = kLooks;
  of_writer.threads[1].waits = {pipe};
  EXPECT_EQ(kinds(writes), Kinds{"unknown"});
  of_writer.held = {{.pid = Pid(kPid), .most = 1, .silent = 0, .asked = 0, .unanswered = 1}};
  EXPECT_EQ(kinds(writes), Kinds{"pipe"});
  // One that is told of events does not.
  acceptors.threads[3].waits = {reads};
  acceptors.threads[3].waits[0].looks = kLooks;
  acceptors.threads[3].waits[0].target->peer_port = 5672;
  acceptors.threads[3].waits[0].target->answer_due = false;
  EXPECT_EQ(kinds(observation), Kinds{"upstream"});
}

}  // namespace
}  // namespace acceptq::diagnose
