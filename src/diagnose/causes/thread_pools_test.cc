// Pools of threads of which none was seen to accept, and the nearest facts that tell nothing.
#include "diagnose/causes/thread_pools.h"

#include <gtest/gtest.h>

#include "diagnose/causes/causes_test_support.h"

namespace acceptq::diagnose {
namespace {

TEST(ThreadPools, APoolThatSleepsIsWhatTheAcceptorWaitsFor) {
  const auto pool = [](std::uint64_t closed) {
    return full({still(kPid, at_lock(false)), serves(3990, kSleeps, closed, 4, 0),
                 serves(3991, kSleeps, closed, 4, 0)});
  };
  EXPECT_EQ(kinds(pool(4)), Kinds{"sleep"});
  EXPECT_TRUE(says(find(report_of(pool(4)), "AQ308"), "none is free: whoever accepts waits"));
  // Housekeepers sleep as well.
  EXPECT_EQ(kinds(pool(0)), Kinds{"unknown"});
}

TEST(ThreadPools, AWaitWithATimerIsASleepOfWhomNobodyWakes) {
  const auto of = [](std::uint64_t times, std::uint64_t woken) {
    return full({still(kPid, at_lock(false)), still(3987, at_lock(true)),
                 serves(3990, at_lock(true), 4, times, woken)});
  };
  EXPECT_EQ(kinds(of(5, 0)), Kinds{"sleep"});
  // It waits for work, or for a lock, which somebody gives it.
  EXPECT_EQ(kinds(of(5, 4)), Kinds{"unknown"});
  // A lock that it tries again and again.
  EXPECT_EQ(kinds(of(40, 1)), Kinds{"unknown"});
  EXPECT_EQ(kinds(of(1, 0)), Kinds{"unknown"});
}

TEST(ThreadPools, TheOneThatMovesBesideAFreePoolAccepts) {
  ThreadWatch acceptor = thread(kPid, 3989, AcceptLink::kOwner, kSleeps, 1);
  acceptor.closed = 0;
  const std::vector<ThreadWatch> threads = {still(kPid, at_lock(false)), acceptor,
                                            serves(3990, at_lock(false), 4, 4, 4),
                                            serves(3991, at_lock(false), 4, 4, 4)};
  Observation observation = full_without_epoll(threads);
  facts::Acceptors& acceptors = observation.accept_evidence.acceptors.begin()->second;
  EXPECT_EQ(kinds(observation), Kinds{"sleep"});
  // With an event loop, any thread may go on with what another began.
  acceptors.in_epoll = kLooks;
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
  acceptors.in_epoll = 0;
  // Two that move; one that moves too seldom.
  acceptors.threads.push_back(acceptor);
  acceptors.threads.back().tid = Pid(3992);
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
  acceptors.threads.pop_back();
  acceptors.threads[1].times.voluntary = 1;
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
}

TEST(ThreadPools, APoolThatHangsClosesNothing) {
  const Wait flock = in_call("S", "flock", {"flock_lock_inode_wait"});
  EXPECT_EQ(kinds(stuck({still(kPid, at_lock(false)), still(3990, flock), still(3991, flock)})),
            Kinds{"lock"});
  // Many housekeepers do not hide it.
  std::vector<ThreadWatch> threads = {still(3990, in_fuse()), still(3991, in_fuse())};
  for (int tid = 4000; tid < 4015; ++tid) threads.push_back(still(tid, at_lock(true)));
  EXPECT_EQ(kinds(stuck(threads)), Kinds{"io.fuse"});
  // One of them does something else: nothing tells which matters.
  threads.push_back(still(3992, flock));
  EXPECT_EQ(kinds(stuck(threads)), Kinds{"unknown"});
}

// Nobody waits for work at a mutex.
TEST(ThreadPools, APoolAtAMutexThatAnotherThreadHas) {
  Wait mutex = at_lock(false);
  mutex.contended = true;
  const auto with = [&](Wait holder) {
    return stuck({still(kPid, at_lock(false)), still(3990, mutex), still(3991, mutex),
                  still(3992, mutex), still(3993, std::move(holder))});
  };
  EXPECT_EQ(kinds(with(at_lock(true))), Kinds{"lock"});
  // That one may have it, or do something of its own.
  EXPECT_EQ(kinds(with(in_fuse())), Kinds{"lock"});
  EXPECT_TRUE(
      says(find(report_of(with(in_fuse())), "AQ305"),
           ", which a thread may have that is waiting for a file system in user space: 75 %"));
  Wait writes = in_call("S", "write", {"anon_pipe_write"});
  writes.target = facts::FileTarget{.type = "pipefs", .device = 15, .inode = 7};
  Observation full_pipe = with(writes);
  full_pipe.accept_evidence.pipe_readers = {
      {.inode = 7, .device = 15, .pid = Pid(9), .comm = "cat", .state = "T"}};
  EXPECT_TRUE(says(find(report_of(full_pipe), "AQ305"),
                   "writing into a full pipe, whose reader cat (pid 9) is stopped: "));
  EXPECT_EQ(kinds(stuck({still(kPid, at_lock(false)), still(3990, mutex), still(3991, in_fuse()),
                         still(3992, in_fuse())})),
            (Kinds{"io.fuse", "lock"}));
  mutex.contended = false;
  EXPECT_EQ(kinds(with(at_lock(true))), Kinds{"unknown"});
}

// "Two causes at once": half of a pool waits for a database, the other half for locks of files.
TEST(ThreadPools, ThreadsWithAClientEachNeedNotDoTheSame) {
  const Wait flock = in_call("S", "fcntl", {"fcntl_setlk"});
  Observation observation =
      stuck({still(kPid, at_lock(false)), still(3990, flock), still(3991, reads_from_peer()),
             still(3992, flock), still(3993, reads_from_peer()), still(3994, at_lock(true))});
  facts::Acceptors& acceptors = observation.accept_evidence.acceptors.begin()->second;
  acceptors.held = {{.pid = Pid(kPid), .most = 4, .silent = 0, .asked = 2, .unanswered = 4}};
  EXPECT_EQ(kinds(observation), (Kinds{"lock", "upstream"}));
  // One of them may do something of its own.
  acceptors.held[0].unanswered = 3;
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
}

// The others of its clients wait for a thread; one of a broker's is asked for its own sake.
TEST(ThreadPools, ClientsWithoutAThreadWaitForThoseThatOthersHave) {
  const Wait reads = reads_from_client();
  Observation observation =
      stuck({still(kPid, at_lock(false)), still(3989, reads_from_peer()), still(3990, reads),
             still(3991, reads), still(3992, reads), still(3993, reads), still(3994, reads)});
  facts::Acceptors& acceptors = observation.accept_evidence.acceptors.begin()->second;
  acceptors.in_epoll = 0;
  acceptors.held = {{.pid = Pid(kPid), .most = 9, .silent = 0, .asked = 1, .unanswered = 9}};
  EXPECT_EQ(kinds(observation), Kinds{"client"});
  EXPECT_GT(find(report_of(observation), "AQ307")->cause->share, 0.8);
  // Nobody waits for a thread: that one may accept, and ask somebody about the next.
  acceptors.held[0].unanswered = 4;
  EXPECT_LT(find(report_of(observation), "AQ307")->cause->share, 0.8);
}

// A deadlock of a reporter and the thread that accepts, beside four that read from a silent feed.
TEST(ThreadPools, MoreThatAskThanThereAreClientsAskForThemselves) {
  const Wait reads = reads_from_peer();
  std::vector<ThreadWatch> threads = {still(kPid, at_lock(false)), still(3990, reads),
                                      still(3991, reads), still(3992, reads), still(3993, reads)};
  for (int tid = 4000; tid < 4006; ++tid) threads.push_back(still(tid, at_lock(true)));
  Observation observation = stuck(threads);
  facts::Acceptors& acceptors = observation.accept_evidence.acceptors.begin()->second;
  acceptors.in_epoll = 0;
  acceptors.held = {{.pid = Pid(kPid), .most = 4, .silent = 0, .asked = 4, .unanswered = 4}};
  EXPECT_EQ(kinds(observation), Kinds{"upstream"});
  acceptors.held[0].unanswered = 1;
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
  // One that waits for storage with the lock that the one that accepts waits for.
  acceptors.threads[0].waits[0].contended = true;
  acceptors.threads.push_back(still(3994, in_fuse()));
  EXPECT_EQ(kinds(observation), (Kinds{"lock", "io.fuse"}));
}

// stdout of Rust, whose reader is gone, and a thread that waits for a broker's messages.
TEST(ThreadPools, MostAreAtOneMutexThatEitherOfTwoMayHave) {
  Wait mutex = at_lock(false);
  mutex.contended = true;
  mutex.lock = 0x5618;
  const Wait writes = in_call("S", "write", {"anon_pipe_write"});
  std::vector<ThreadWatch> threads = {still(kPid, at_lock(false)), still(3989, reads_from_peer()),
                                      still(3990, writes)};
  for (int tid = 4000; tid < 4007; ++tid) threads.push_back(still(tid, mutex));
  Observation observation = stuck(threads);
  facts::Acceptors& acceptors = observation.accept_evidence.acceptors.begin()->second;
  acceptors.in_epoll = 0;
  acceptors.held = {{.pid = Pid(kPid), .most = 8, .silent = 0, .asked = 1, .unanswered = 8}};
  const Report report = report_of(observation);
  EXPECT_EQ(kinds(observation).front(), "lock");
  EXPECT_TRUE(says(find(report, "AQ305"),
                   "One of its threads is writing into a full pipe, and 1 waiting for another "
                   "server: one of these may have it."));
  // They do something for nobody.
  acceptors.held[0].unanswered = 2;
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
}

// A lock of which nothing says that it is taken: but those at it have clients, as many as wait.
TEST(ThreadPools, ThreadsAtALockWithAClientEachDoNotWaitForWork) {
  const auto of = [](const std::vector<ThreadWatch>& pool, std::uint32_t unanswered) {
    std::vector<ThreadWatch> threads = {still(kPid, at_lock(false)), still(3989, at_lock(true))};
    threads.insert(threads.end(), pool.begin(), pool.end());
    Observation observation = stuck(threads);
    facts::Acceptors& acceptors = observation.accept_evidence.acceptors.begin()->second;
    acceptors.in_epoll = 0;
    acceptors.held = {{.pid = Pid(kPid), .most = 4, .silent = 0, .asked = 0}};
    acceptors.held[0].unanswered = unanswered;
    return observation;
  };
  std::vector<ThreadWatch> pool = {still(3990, at_lock(false)), still(3991, at_lock(false)),
                                   still(3992, at_lock(false))};
  EXPECT_EQ(kinds(of(pool, 3)), Kinds{"lock"});
  // One that has none waits for work.
  EXPECT_EQ(kinds(of(pool, 2)), Kinds{"unknown"});
  // The fourth has what they wait for.
  pool.push_back(still(3993, reads_from_peer()));
  EXPECT_EQ(kinds(of(pool, 4)), Kinds{"upstream"});
  EXPECT_EQ(kinds(of(pool, 2)), Kinds{"unknown"});
}

// The one that accepts is not among them.
TEST(ThreadPools, APoolThatWaitsForAServerKeepsWhoeverAccepts) {
  Wait reads = reads_from_peer();
  const Report report =
      report_of(stuck({still(kPid, at_lock(false)), still(3990, reads), still(3991, reads)}));
  EXPECT_TRUE(says(find(report, "AQ307"), "whoever accepts has none to give"));
  EXPECT_EQ(find(report, "AQ307")->cause->detail.at("threads"), "serving");
  // Two that are told of events by a broker, while the pool waits for a lock.
  reads.target->answer_due = false;
  EXPECT_EQ(kinds(stuck({still(kPid, at_lock(false)), still(3990, reads), still(3991, reads)})),
            Kinds{"unknown"});
  reads.target->answer_due = true;
  EXPECT_EQ(kinds(stuck({still(kPid, at_lock(false)), still(3990, reads), still(3991, reads)})),
            Kinds{"upstream"});
  // Somebody else takes connections, and these do not move.
  EXPECT_NE(kinds(full({still(kPid, at_lock(false)), still(3990, reads), still(3991, reads),
                        still(3992, at_lock(false)), still(3993, at_lock(false)),
                        still(3994, at_lock(false))})),
            Kinds{"upstream"});
}

TEST(ThreadPools, ManyThatComputeAndNoneBesideThem) {
  const auto computes = [](int tid) {
    ThreadWatch thread = still(tid, running());
    thread.times.user_ns = 1'900'000'000;
    return thread;
  };
  std::vector<ThreadWatch> threads = {still(kPid, at_lock(false)), computes(3990), computes(3991),
                                      computes(3992)};
  EXPECT_EQ(kinds(full(threads)), Kinds{"cpu.busy"});
  // They may collect garbage.
  for (std::size_t i = 1; i < threads.size(); ++i) threads[i].comm = "GC Thread#0";
  EXPECT_NE(kinds(full(threads)), Kinds{"cpu.busy"});
}

// CompletableFuture.join() in a pool whose work is done by another pool.
TEST(ThreadPools, APoolBehindThePoolKeepsWhoeverAccepts) {
  const auto behind = [](std::uint64_t turns) {
    ThreadWatch thread = still(3993, reads_from_peer());
    thread.times.voluntary = turns;
    ThreadWatch other = thread;
    other.tid = Pid(3994);
    std::vector<ThreadWatch> threads = {still(kPid, at_lock(false)), thread, other};
    for (int tid = 4000; tid < 4012; ++tid) threads.push_back(serves(tid, at_lock(false), 1, 2, 0));
    return kinds(full_without_epoll(threads));
  };
  EXPECT_EQ(behind(3), Kinds{"upstream"});
  // Two that wait for events of their own, which did not come.
  EXPECT_EQ(behind(0), Kinds{"unknown"});
}

// Thread.sleep() of Java: a thread that waits as often as connections are taken, until a timer ends
// it, may be the one that accepts.
TEST(ThreadPools, WhoComputesBesideOneThatSleepsAsOftenMayBeABystander) {
  const auto of = [](std::uint64_t naps) {
    ThreadWatch computes = still(3989, running());
    computes.times.user_ns = 1'900'000'000;
    computes.times.involuntary = 40;
    ThreadWatch naps_often = still(3988, at_lock(true));
    naps_often.times.voluntary = naps;
    std::vector<ThreadWatch> threads = {still(kPid, at_lock(false)), computes, naps_often,
                                        serves(3990, at_lock(false), 4, 4, 4),
                                        serves(3991, at_lock(false), 4, 4, 4)};
    for (ThreadWatch& thread : threads) thread.closed = thread.closed.value_or(0);
    return kinds(full_without_epoll(threads));
  };
  EXPECT_EQ(of(2), Kinds{"cpu.busy"});
  EXPECT_EQ(of(20), Kinds{"unknown"});
}

// An event loop that waits for an answer itself, beside helpers at files.
TEST(ThreadPools, AFirstThreadThatAsksMayBeTheOneThatAccepts) {
  std::vector<ThreadWatch> threads = {still(kPid, reads_from_peer())};
  for (int tid = 4000; tid < 4004; ++tid) threads.push_back(still(tid, in_fuse()));
  for (ThreadWatch& thread : threads) thread.times.voluntary = 100;
  Observation observation = full_without_epoll(threads);
  facts::Acceptors& acceptors = observation.accept_evidence.acceptors.begin()->second;
  EXPECT_NE(kinds(observation).front(), "io.fuse");
  acceptors.threads[0].tid = Pid(3999);
  EXPECT_EQ(kinds(observation).front(), "io.fuse");
}

// As in Rust, where the workers of a pool share the end of a channel under a mutex.
TEST(ThreadPools, WhoWaitsForWorkAtAMutexHasNoClient) {
  Wait mutex = at_lock(false);
  mutex.contended = true;
  mutex.lock = 0x5618;
  ThreadWatch starved = still(kPid, running());
  starved.times.delay_ns = 1'900'000'000;
  std::vector<ThreadWatch> threads = {starved, still(3990, at_lock(false))};
  for (int tid = 4000; tid < 4003; ++tid) {
    threads.push_back(still(tid, mutex));
    threads.back().times.voluntary = 40;
  }
  Observation observation = full_without_epoll(threads);
  facts::Acceptors& acceptors = observation.accept_evidence.acceptors.begin()->second;
  acceptors.held = {{.pid = Pid(kPid), .most = 1, .silent = 0, .asked = 0, .unanswered = 1}};
  EXPECT_EQ(kinds(observation), Kinds{"cpu.starved"});
  // Each has one.
  acceptors.held[0].unanswered = 3;
  EXPECT_EQ(kinds(observation).front(), "lock");
}

// As in Varnish, where the thread of a client waits for one that fetches, and each is now this and
// now that.
TEST(ThreadPools, APoolOfWhichHalfWaitsForTheOtherHalf) {
  const auto of = [](int hanging, int waiting) {
    std::vector<ThreadWatch> threads = {still(kPid, at_lock(false))};
    int tid = 4000;
    const auto add = [&](const Wait& wait, std::uint64_t closed) {
      threads.push_back(still(tid++, wait));
      threads.back().closed = closed;
      threads.back().times.voluntary = 3;
    };
    for (int i = 0; i < hanging; ++i) add(reads_from_peer(), 1);
    for (int i = 0; i < waiting; ++i) add(at_lock(false), 1);
    for (int i = 0; i < 4; ++i) add(reads_from_peer(), 0);
    for (int i = 0; i < 4; ++i) add(at_lock(false), 0);
    Observation observation = full_without_epoll(threads);
    facts::Acceptors& acceptors = observation.accept_evidence.acceptors.begin()->second;
    acceptors.held = {
        {.pid = Pid(kPid), .most = 8, .silent = 0, .asked = 7, .unanswered = 8, .mean = 8}};
    return kinds(observation);
  };
  EXPECT_EQ(of(3, 3), Kinds{"upstream"});
  // Most wait, and they ask for as many as there are clients.
  EXPECT_EQ(of(3, 5), Kinds{"upstream"});
}

}  // namespace
}  // namespace acceptq::diagnose
