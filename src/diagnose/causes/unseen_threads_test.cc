// Pools of which no thread was seen to accept, and the nearest facts that tell nothing.
#include "diagnose/causes/unseen_threads.h"

#include <gtest/gtest.h>

#include "diagnose/causes/causes_test_support.h"

namespace acceptq::diagnose {
namespace {

constexpr int kPid = 3985;

Wait at_lock(bool timed) {
  Wait wait = in_call("S", "futex", {"futex_wait_queue"});
  wait.timed = timed;
  return wait;
}

ThreadWatch still(int tid, Wait wait) {
  ThreadWatch still = thread(kPid, tid, AcceptLink::kOwner, std::move(wait), 1);
  still.times.voluntary = 0;
  return still;
}

// It closed connections, and was in `wait` all the time, `times` times.
ThreadWatch serves(int tid, const Wait& wait, std::uint64_t closed, std::uint64_t times,
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
Observation stuck(const std::vector<ThreadWatch>& threads) {
  Observation observation = full(threads);
  for (facts::Namespace& ns : observation.after.namespaces) ns.counters["TcpPassiveOpens"] = 0;
  return observation;
}

// recv() of a connection to another server.
Wait reads_from_peer() {
  Wait reads = in_call("S", "read", {"sk_wait_data", "tcp_recvmsg"});
  reads.target = facts::FileTarget{.type = "sockfs"};
  reads.target->peer = facts::IpAddress::parse("10.0.0.9");
  reads.target->peer_port = 5432;
  return reads;
}

const Wait kSleeps = in_call("S", "clock_nanosleep", {"hrtimer_nanosleep"});

TEST(UnseenThreads, APoolThatSleepsIsWhatTheAcceptorWaitsFor) {
  const auto pool = [](std::uint64_t closed) {
    return full({still(kPid, at_lock(false)), serves(3990, kSleeps, closed, 4, 0),
                 serves(3991, kSleeps, closed, 4, 0)});
  };
  EXPECT_EQ(kinds(pool(4)), Kinds{"sleep"});
  EXPECT_TRUE(says(find(report_of(pool(4)), "AQ308"), "none is free: whoever accepts waits"));
  // Housekeepers sleep as well.
  EXPECT_EQ(kinds(pool(0)), Kinds{"unknown"});
}

TEST(UnseenThreads, AWaitWithATimerIsASleepOfWhomNobodyWakes) {
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

TEST(UnseenThreads, TheOneThatMovesBesideAFreePoolAccepts) {
  ThreadWatch acceptor = thread(kPid, 3989, AcceptLink::kOwner, kSleeps, 1);
  acceptor.closed = 0;
  const std::vector<ThreadWatch> threads = {still(kPid, at_lock(false)), acceptor,
                                            serves(3990, at_lock(false), 4, 4, 4),
                                            serves(3991, at_lock(false), 4, 4, 4)};
  Observation observation = full(threads);
  facts::Acceptors& acceptors = observation.accept_evidence.acceptors.begin()->second;
  acceptors.in_epoll = 0;
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

TEST(UnseenThreads, APoolThatHangsClosesNothing) {
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
TEST(UnseenThreads, APoolAtAMutexThatAnotherThreadHas) {
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
           "One of its threads is waiting for a file system in user space, and may have it."));
  EXPECT_EQ(kinds(stuck({still(kPid, at_lock(false)), still(3990, mutex), still(3991, in_fuse()),
                         still(3992, in_fuse())})),
            (Kinds{"io.fuse", "lock"}));
  mutex.contended = false;
  EXPECT_EQ(kinds(with(at_lock(true))), Kinds{"unknown"});
}

// "Two causes at once": half of a pool waits for a database, the other half for locks of files.
TEST(UnseenThreads, ThreadsWithAClientEachNeedNotDoTheSame) {
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

// A lock of which nothing says that it is taken: but those at it have clients, as many as wait.
TEST(UnseenThreads, ThreadsAtALockWithAClientEachDoNotWaitForWork) {
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

// The one that accepts is not among them.
TEST(UnseenThreads, APoolThatWaitsForAServerKeepsWhoeverAccepts) {
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

TEST(UnseenThreads, ManyThatComputeAndNoneBesideThem) {
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

// As in Ruby and Python: under the interpreter's lock, four threads share a core.
TEST(UnseenThreads, ThreadsThatTakeTurnsFillACoreTogether) {
  const auto takes_turns = [](int tid, double share) {
    ThreadWatch thread = still(tid, running());
    thread.closed = 4;
    thread.waits[0].looks = static_cast<std::uint32_t>(share * kLooks);
    thread.waits.push_back(at_lock(true));
    thread.waits[1].looks = kLooks - thread.waits[0].looks;
    thread.times.user_ns = static_cast<std::uint64_t>(share * 2 * kSecond);
    thread.times.voluntary = 400;
    return thread;
  };
  const auto pool = [&](double share) {
    std::vector<ThreadWatch> threads = {still(kPid, in_call("S", "ppoll")),
                                        still(3989, at_lock(false))};
    for (int tid = 3990; tid < 3994; ++tid) threads.push_back(takes_turns(tid, share));
    return full(threads);
  };
  EXPECT_EQ(kinds(pool(0.24)), Kinds{"cpu.busy"});
  const Report report = report_of(pool(0.24));
  EXPECT_NEAR(*find(report, "AQ304")->cause->share, 0.96, 0.01);
  EXPECT_TRUE(says(find(report, "AQ304"), "run one at a time"));
  // They have time: the lock is not what they wait for.
  EXPECT_EQ(kinds(pool(0.1)), Kinds{"unknown"});
}

// As in Python: the first thread is to accept, and has the lock of the interpreter too seldom.
TEST(UnseenThreads, WhoComputesUnderTheLockOfTheOthersKeepsThem) {
  ThreadWatch main = still(kPid, at_lock(true));
  main.times.voluntary = 400;
  ThreadWatch computes = still(3990, running());
  computes.times.user_ns = 1'950'000'000;
  Observation observation = full({main, computes, still(3991, at_lock(false))});
  observation.after.namespaces[1].counters["TcpPassiveOpens"] = 0;
  EXPECT_EQ(kinds(observation), Kinds{"cpu.busy"});
  // Nobody hands it anything: it may wait for anybody.
  observation.accept_evidence.acceptors.begin()->second.threads[0].times.voluntary = 0;
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
}

// Threads that accept, each, and ask one database by one connection.
TEST(UnseenThreads, ALockThatIsHandedAroundKeepsThoseThatWorkUnderIt) {
  const Wait reads = reads_from_peer();
  const auto shares = [&](int tid, std::uint64_t lock, double works) {
    Wait waits = at_lock(false);
    waits.lock = lock;
    ThreadWatch thread = still(tid, waits);
    thread.times.voluntary = 3;
    thread.waits[0].looks = static_cast<std::uint32_t>((1 - works) * kLooks);
    if (works > 0) {
      thread.waits.push_back(reads);
      thread.waits[1].looks = kLooks - thread.waits[0].looks;
    }
    return thread;
  };
  const auto of = [&](std::uint64_t last_lock) {
    return kinds(
        full({still(kPid, at_lock(false)), shares(3990, 0x10, 0.3), shares(3991, 0x10, 0.2),
              shares(3992, 0x10, 0), shares(3993, last_lock, 0)}));
  };
  EXPECT_EQ(of(0x10), Kinds{"lock"});
  EXPECT_EQ(of(0x20), Kinds{"unknown"});  // one that has nothing to do with it
}

// As in Go: another thread went on with what the first one did.
TEST(UnseenThreads, TheFirstThreadThatWasPutAsideWaitsForNoLock) {
  ThreadWatch main = thread(kPid, kPid, AcceptLink::kOwner, at_lock(false), 0.43);
  main.waits[1] = running();
  main.waits[1].looks = 57;
  main.times.user_ns = 1'100'000'000;
  ThreadWatch next = thread(kPid, 3990, AcceptLink::kOwner, at_lock(false), 0.57);
  next.waits[1] = running();
  next.waits[1].looks = 43;
  EXPECT_EQ(kinds(full({main, still(3991, at_lock(false)), next})), Kinds{"cpu.busy"});
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
  Wait reads = in_call("S", "recvfrom", {"sk_wait_data", "tcp_recvmsg"});
  reads.target = facts::FileTarget{.type = "sockfs"};
  reads.target->local = facts::IpAddress::parse("10.0.0.5");
  reads.target->local_port = 80;
  reads.target->peer = facts::IpAddress::parse("10.0.0.9");
  reads.target->peer_port = 50000;
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

// As in BIND at its limit of TCP clients: a first thread that waits for signals, event loops
// without the listener, and a timer.
TEST(UnseenThreads, EventLoopsThatHaveTakenTheListenerOut) {
  std::vector<ThreadWatch> threads = {still(kPid, in_call("S", "rt_sigtimedwait")),
                                      still(3990, in_epoll()), still(3991, in_epoll()),
                                      still(3992, at_lock(true))};
  Observation observation = full(threads);
  observation.after.namespaces[1].counters["TcpPassiveOpens"] = 0;
  facts::Acceptors& acceptors = observation.accept_evidence.acceptors.begin()->second;
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
  acceptors.in_epoll = 0;
  EXPECT_EQ(kinds(observation), Kinds{"not_accepting"});
  // That one may be the one that accepts, and waits for a lock, among however many that are idle.
  acceptors.threads[3] = still(3992, at_lock(false));
  for (int tid = 4000; tid < 4016; ++tid) acceptors.threads.push_back(still(tid, in_epoll()));
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
}

// CompletableFuture.join() in a pool whose work is done by another pool.
TEST(UnseenThreads, APoolBehindThePoolKeepsWhoeverAccepts) {
  const auto behind = [](std::uint64_t turns) {
    ThreadWatch thread = still(3993, reads_from_peer());
    thread.times.voluntary = turns;
    ThreadWatch other = thread;
    other.tid = Pid(3994);
    std::vector<ThreadWatch> threads = {still(kPid, at_lock(false)), thread, other};
    for (int tid = 4000; tid < 4012; ++tid) threads.push_back(serves(tid, at_lock(false), 1, 2, 0));
    Observation observation = full(threads);
    observation.accept_evidence.acceptors.begin()->second.in_epoll = 0;
    return kinds(observation);
  };
  EXPECT_EQ(behind(3), Kinds{"upstream"});
  // Two that wait for events of their own, which did not come.
  EXPECT_EQ(behind(0), Kinds{"unknown"});
}

// Threads that come and go, one for each connection, under an interpreter's lock.
TEST(UnseenThreads, ThreadsThatComeAndGoFillACoreTogether) {
  const auto of = [](std::uint64_t run_ns) {
    std::vector<ThreadWatch> threads = {still(kPid, at_lock(true))};
    threads[0].times.voluntary = 400;
    for (int i = 0; i < 10; ++i) {
      ThreadWatch one = serves(4000 + i, at_lock(true), 1, 8, 6);
      one.times.user_ns = run_ns;
      one.exact->counted_ns = 400'000'000;
      one.exact->on_core_ns = run_ns;
      one.exact->blocked[0].ns = 400'000'000 - run_ns;
      threads.push_back(one);
    }
    return kinds(full(threads));
  };
  EXPECT_EQ(of(190'000'000), Kinds{"cpu.busy"});
  EXPECT_EQ(of(60'000'000), Kinds{"unknown"});
}

// waitress at its limit of connections, which idle clients hold.
TEST(UnseenThreads, ALoopOfClientsBesideAPoolWithoutWorkDoesNotAccept) {
  const auto of = [](facts::Polled polled) {
    Wait selects = in_call("S", "pselect6", {"do_select"});
    selects.polled = polled;
    Observation observation =
        full({still(kPid, selects), still(3990, at_lock(false)), still(3991, at_lock(false))});
    facts::Acceptors& acceptors = observation.accept_evidence.acceptors.begin()->second;
    acceptors.queue_looks = kLooks;
    acceptors.in_epoll = acceptors.waited_for = 0;
    for (facts::Namespace& ns : observation.after.namespaces) ns.counters["TcpPassiveOpens"] = 0;
    return observation;
  };
  EXPECT_EQ(kinds(of(facts::Polled::kClients)), Kinds{"not_accepting"});
  // Puma's threads sleep so, with a client each.
  Observation sleeps = of(facts::Polled::kClients);
  sleeps.accept_evidence.acceptors.begin()->second.threads[1] = still(3990, at_lock(true));
  EXPECT_EQ(kinds(sleeps), Kinds{"unknown"});
  // One of those at a lock may be the one that accepts.
  EXPECT_EQ(kinds(of(facts::Polled::kNothing)), Kinds{"unknown"});
}

// Whose threads nap, wait for work, or for events of a broker, on nobody's behalf.
TEST(UnseenThreads, ALoopOfAProcessWithoutRequestsDoesNotAccept) {
  const auto of = [](facts::Polled polled, std::optional<std::uint32_t> unanswered) {
    Wait loop = in_epoll();
    loop.polled = polled;
    Wait events = reads_from_peer();
    events.target->answer_due = false;
    std::vector<ThreadWatch> threads = {still(kPid, loop), still(3990, events),
                                        thread(kPid, 3991, AcceptLink::kOwner, kSleeps, 1)};
    for (const int each : {0, 1}) {  // the two places of one condition variable
      threads.push_back(still(3992 + each, at_lock(false)));
      threads.back().waits[0].lock = 0x55d0'0000'0ee8U + 4U * static_cast<unsigned>(each);
    }
    Observation observation = stuck(threads);
    facts::Acceptors& acceptors = observation.accept_evidence.acceptors.begin()->second;
    acceptors.in_epoll = 0;
    acceptors.held = {{.pid = Pid(kPid), .most = 3, .silent = 0, .asked = 0}};
    acceptors.held[0].unanswered = unanswered;
    return observation;
  };
  EXPECT_EQ(kinds(of(facts::Polled::kNothing, 0)), Kinds{"not_accepting"});
  EXPECT_EQ(kinds(of(facts::Polled::kClients, 0)), Kinds{"not_accepting"});
  EXPECT_EQ(kinds(of(facts::Polled::kNothing, 1)), Kinds{"unknown"});
  EXPECT_EQ(kinds(of(facts::Polled::kNothing, std::nullopt)), Kinds{"unknown"});
  // One sleep, as long as the watch, may be of the one that accepts.
  Observation sleeps = of(facts::Polled::kClients, 0);
  sleeps.accept_evidence.acceptors.begin()->second.threads[2].times.voluntary = 0;
  EXPECT_EQ(kinds(sleeps), Kinds{"unknown"});
  // So may a lock at which one waits alone, where nothing says that the loop is one of clients.
  for (const auto polled : {facts::Polled::kNothing, facts::Polled::kClients}) {
    Observation alone = of(polled, 0);
    alone.accept_evidence.acceptors.begin()->second.threads[3].waits[0].lock = 0x55d0'0000'1000U;
    EXPECT_EQ(kinds(alone), Kinds{polled == facts::Polled::kNothing ? "unknown" : "not_accepting"});
  }
}

}  // namespace
}  // namespace acceptq::diagnose
