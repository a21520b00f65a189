// Threads of which one works at a time, and the nearest facts that tell nothing.
#include "diagnose/causes/taking_turns.h"

#include <gtest/gtest.h>

#include "diagnose/causes/causes_test_support.h"

namespace acceptq::diagnose {
namespace {

// As in Ruby and Python: under the interpreter's lock, four threads share a core.
TEST(TakingTurns, ThreadsThatTakeTurnsFillACoreTogether) {
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
TEST(TakingTurns, WhoComputesUnderTheLockOfTheOthersKeepsThem) {
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

// As leader and followers, beside threads that do something of their own.
TEST(TakingTurns, WhoServesUnderALockWaitsWithIt) {
  const auto shares = [](int tid, double works) {
    Wait waits = at_lock(false);
    waits.lock = 0x5597;
    ThreadWatch thread = still(tid, waits);
    thread.closed = 3;
    thread.times.voluntary = 5;
    thread.waits[0].looks = static_cast<std::uint32_t>((1 - works) * kLooks);
    thread.waits.push_back(reads_from_peer());
    thread.waits[1].looks = kLooks - thread.waits[0].looks;
    return thread;
  };
  const auto of = [&](double each) {
    return full({still(kPid, at_lock(false)), thread(kPid, 3989, AcceptLink::kOwner, kSleeps, 1),
                 shares(3990, each), shares(3991, each), shares(3992, each)});
  };
  EXPECT_EQ(kinds(of(0.32)), Kinds{"upstream"});
  EXPECT_NEAR(*find(report_of(of(0.32)), "AQ307")->cause->share, 0.96, 0.01);
  // Somebody else has it for half of the time.
  EXPECT_EQ(kinds(of(0.15)), Kinds{"unknown"});
}

// A driver in C that asks the database, and keeps the lock meanwhile.
TEST(TakingTurns, WhoWaitsWithTheLockOfTheInterpreterKeepsTheOthers) {
  const auto polls = [](int tid, double share_at_peer) {
    ThreadWatch thread = still(tid, at_lock(true));
    thread.closed = share_at_peer > 0 ? 1 : 0;
    thread.times.voluntary = 350;
    thread.waits[0].looks = static_cast<std::uint32_t>((1 - share_at_peer) * kLooks);
    if (share_at_peer > 0) {
      thread.waits.push_back(reads_from_peer());
      thread.waits[1].looks = kLooks - thread.waits[0].looks;
    }
    return thread;
  };
  const auto of = [&](double each) {
    return full({polls(kPid, 0), polls(3990, each), polls(3991, each), polls(3992, 0)});
  };
  EXPECT_EQ(kinds(of(0.47)), Kinds{"upstream"});
  EXPECT_NEAR(*find(report_of(of(0.47)), "AQ307")->cause->share, 0.94, 0.01);
  // Who has the lock for the rest of the time is not seen.
  EXPECT_EQ(kinds(of(0.2)), Kinds{"unknown"});
}

// Threads that accept, each, and ask one database by one connection.
TEST(TakingTurns, ALockThatIsHandedAroundKeepsThoseThatWorkUnderIt) {
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
TEST(TakingTurns, TheFirstThreadThatWasPutAsideWaitsForNoLock) {
  ThreadWatch main = thread(kPid, kPid, AcceptLink::kOwner, at_lock(false), 0.43);
  main.waits[1] = running();
  main.waits[1].looks = 57;
  main.times.user_ns = 1'100'000'000;
  ThreadWatch next = thread(kPid, 3990, AcceptLink::kOwner, at_lock(false), 0.57);
  next.waits[1] = running();
  next.waits[1].looks = 43;
  EXPECT_EQ(kinds(full({main, still(3991, at_lock(false)), next})), Kinds{"cpu.busy"});
}

// Threads that come and go, one for each connection, under an interpreter's lock.
TEST(TakingTurns, ThreadsThatComeAndGoFillACoreTogether) {
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

// A prefork server with a lock around accept(): whoever has it waits for its client.
TEST(TakingTurns, WhoHasTheLockAroundAcceptKeepsTheOthers) {
  Wait flock = in_call("S", "flock", {"locks_lock_inode_wait"});
  flock.target = facts::FileTarget{.type = "tmpfs", .inode = 5, .path = "/run/accept.lock"};
  const auto child = [&](int pid, const Wait& works, double share) {
    ThreadWatch thread = still(pid, works);
    thread.pid = Pid(pid);
    thread.closed = 3;
    thread.waits[0].looks = static_cast<std::uint32_t>(share * kLooks);
    thread.waits.push_back(flock);
    thread.waits[1].looks = kLooks - thread.waits[0].looks;
    thread.times.voluntary = 5;
    return thread;
  };
  const auto observed = [&](const Wait& works, std::optional<double> open) {
    Observation observation =
        full({child(4000, works, 0.5), child(4001, works, 0.3), child(4002, works, 0.2)});
    for (const int pid : {4000, 4001, 4002}) {
      observation.after.listeners[0].owners.push_back({.pid = Pid(pid), .fd = 6});
      observation.accept_evidence.acceptors.begin()->second.held.push_back(
          {.pid = Pid(pid), .most = 1, .mean = open});
    }
    return observation;
  };
  const Report report = report_of(observed(reads_from_client(), 0.33));
  EXPECT_TRUE(says(find(report, "AQ307"), "waits for one client at a time"));
  EXPECT_TRUE(says(find(report, "AQ307"), "run one at a time"));
  const auto of = [&](const Wait& works, std::optional<double> open) {
    return kinds(observed(works, open));
  };
  EXPECT_EQ(of(reads_from_client(), 0.33), Kinds{"client"});
  EXPECT_EQ(of(reads_from_peer(), 0.33), Kinds{"upstream"});
  // Neither is known.
  EXPECT_EQ(of(reads_from_client(), std::nullopt), Kinds{"unknown"});
  // Each of them has a client: these wait for the lock, as those of a session do.
  EXPECT_EQ(of(reads_from_client(), 0.9), (Kinds{"lock", "client"}));
}

// As in Java: whoever has the monitor of System.out waits for room, and each other parks elsewhere.
TEST(TakingTurns, WhoLogsIntoAFullPipeKeepsTheOthers) {
  Wait writes = in_call("S", "write", {"anon_pipe_write"});
  writes.target = facts::FileTarget{.type = "pipefs", .inode = 7};
  const auto logs = [&](int tid, double share) {
    ThreadWatch thread = still(tid, writes);
    thread.closed = 3;
    thread.waits[0].looks = static_cast<std::uint32_t>(share * kLooks);
    thread.waits.push_back(at_lock(false));
    thread.waits[1].lock = static_cast<std::uint64_t>(tid);
    thread.waits[1].looks = kLooks - thread.waits[0].looks;
    thread.times.voluntary = 12;
    return thread;
  };
  const auto of = [&](double most) {
    return kinds(full({still(kPid, at_lock(false)), logs(3990, most), logs(3991, 0.3),
                       logs(3992, 0.2), still(3993, at_lock(true))}));
  };
  EXPECT_EQ(of(0.45), Kinds{"pipe"});
  // There is room half of the time.
  EXPECT_EQ(of(0.1), Kinds{"unknown"});
}

}  // namespace
}  // namespace acceptq::diagnose
