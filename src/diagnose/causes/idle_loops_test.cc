// Event loops that do not accept any more, and the nearest facts that tell nothing.
#include "diagnose/causes/idle_loops.h"

#include <gtest/gtest.h>

#include "diagnose/causes/causes_test_support.h"

namespace acceptq::diagnose {
namespace {

// As in BIND at its limit of TCP clients: a first thread that waits for signals, event loops
// without the listener, and a timer.
TEST(IdleLoops, EventLoopsThatHaveTakenTheListenerOut) {
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

// waitress at its limit of connections, which idle clients hold.
TEST(IdleLoops, ALoopOfClientsBesideAPoolWithoutWorkDoesNotAccept) {
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
TEST(IdleLoops, ALoopOfAProcessWithoutRequestsDoesNotAccept) {
  const auto of = [](facts::Polled polled, std::optional<std::uint32_t> unanswered) {
    Wait loop = in_epoll();
    loop.polled = polled;
    Wait events = reads_from_peer();
    events.target->answer_due = false;
    std::vector<ThreadWatch> threads = {still(kPid, loop), still(3990, events),
                                        thread(kPid, 3991, AcceptLink::kOwner, kSleeps, 1)};
    for (const int each : {0, 1}) {  // the two places of one condition variable
      threads.push_back(still(3992 + each, at_lock(false)));
      threads.back().waits[0].lock = 0x55d0'0000'0ee8U + (each == 0 ? 0U : 4U);
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

// Tomcat at maxConnections: its clients are idle, its first thread sleeps, a thread for metrics
// computes, and the one that accepts waits for one of the clients to go.
TEST(IdleLoops, AsManyIdleClientsAtEachLookBesideALatchAreALimit) {
  Wait loop = in_epoll();
  loop.polled = facts::Polled::kClients;
  const std::vector<ThreadWatch> threads = {still(kPid, at_lock(true)), still(3990, loop),
                                            still(3991, at_lock(false)),
                                            thread(kPid, 3992, AcceptLink::kOwner, running(), 0.7)};
  const facts::HeldConnections full_of_idle{
      .pid = Pid(kPid), .most = 24, .silent = 0, .asked = 0, .unanswered = 0, .mean = 24};
  const auto of = [&](const facts::HeldConnections& held, std::size_t changed,
                      const ThreadWatch& thread) {
    Observation observation = stuck(threads);
    facts::Acceptors& acceptors = observation.accept_evidence.acceptors.begin()->second;
    acceptors.in_epoll = 0;
    acceptors.held = {held};
    acceptors.threads[changed] = thread;
    return kinds(observation);
  };
  EXPECT_EQ(of(full_of_idle, 0, threads[0]), Kinds{"not_accepting"});
  facts::HeldConnections other = full_of_idle;
  other.mean = 20;
  EXPECT_EQ(of(other, 0, threads[0]), Kinds{"unknown"});
  other = full_of_idle;
  other.unanswered = 1;
  EXPECT_EQ(of(other, 0, threads[0]), Kinds{"unknown"});
  other = full_of_idle;
  other.mean = other.most = 3;
  EXPECT_EQ(of(other, 0, threads[0]), Kinds{"unknown"});
  // Nobody is there who would wait for a place; somebody waits for another server.
  EXPECT_EQ(of(full_of_idle, 2, still(3991, at_lock(true))), Kinds{"unknown"});
  EXPECT_EQ(of(full_of_idle, 0, still(3993, reads_from_peer())), Kinds{"unknown"});
}

}  // namespace
}  // namespace acceptq::diagnose
