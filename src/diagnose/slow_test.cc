// Connections that wait: measured, estimated, and when it is a finding.
#include <gtest/gtest.h>

#include "diagnose/diagnose_test_support.h"

namespace acceptq::diagnose {
namespace {

using facts::Observation;

Observation waiting(std::uint32_t length, std::uint32_t limit, std::uint64_t accepted) {
  return observe({make_listener(80, length, limit, 0)}, make_namespace(kPod, 4096),
                 {make_listener(80, length, limit, 0)},
                 make_namespace(kPod, 4096, {{"TcpPassiveOpens", accepted}}));
}

TEST(Slow, ByLengthAndRateOfAccept) {
  const Report probes = report_of(waiting(12, 2048, 10));
  EXPECT_EQ(probes.verdict, Verdict::kSlow);
  EXPECT_DOUBLE_EQ(*probes.listeners[0].estimated_wait_ms, 2400);
  EXPECT_TRUE(says(find(probes, "AQ113"), "12 connections wait for accept(), and 5 are taken"));
  EXPECT_TRUE(says(find(probes, "AQ113"), "a probe with a timeout of 1 s fails"));
  EXPECT_EQ(find(probes, "AQ113")->severity, Severity::kWarning);
  const Report hidden = report_of(waiting(945, 4000, 10));
  EXPECT_EQ(hidden.verdict, Verdict::kSlow);
  EXPECT_TRUE(says(find(hidden, "AQ113"), "189 s"));
}

TEST(Slow, CountsThoseThatHungUp) {
  Observation observation = waiting(1025, 4000, 10);
  observation.after.listeners[0].waiting_seen = 1025;
  observation.after.listeners[0].waiting_hung_up = 878;
  const Report report = report_of(observation);
  EXPECT_TRUE(says(find(report, "AQ113"), "878 of the 1025 that wait have hung up"));
  observation.after.listeners[0].waiting_hung_up = 1025;
  EXPECT_TRUE(says(find(report_of(observation), "AQ113"), "All 1025 that wait have hung up"));
}

TEST(Slow, TakesTenThatLeft) {
  EXPECT_EQ(report_of(waiting(6, 2048, 9)).verdict, Verdict::kHealthy);
  // Or as many that wait from the beginning to the end.
  EXPECT_EQ(report_of(waiting(12, 2048, 9)).verdict, Verdict::kSlow);
  EXPECT_EQ(report_of(waiting(12, 2048, 4)).verdict, Verdict::kSlow);
  EXPECT_EQ(report_of(waiting(9, 2048, 4)).verdict, Verdict::kHealthy);
  Observation burst = waiting(12, 2048, 10);
  burst.before.listeners[0].accept_queue_len = QueueLength(0);
  EXPECT_EQ(report_of(burst).verdict, Verdict::kHealthy);
  EXPECT_EQ(report_of(waiting(12, 2048, 1000)).verdict, Verdict::kHealthy);
  EXPECT_EQ(report_of(waiting(0, 2048, 1000)).listeners[0].estimated_wait_ms, std::nullopt);
}

// Workers that are stopped or all busy, and a queue with much room.
TEST(Slow, IsAServerThatTakesNothing) {
  Observation observation = waiting(12, 2048, 0);
  observation.after.listeners[0].accept_queue_len = QueueLength(53);
  observation.after.namespaces[1].counters["TcpPassiveOpens"] = 41;
  const Report stuck = report_of(observation);
  EXPECT_EQ(stuck.verdict, Verdict::kSlow);
  EXPECT_TRUE(says(find(stuck, "AQ113"), "in 2.0 s nothing was taken"));
  EXPECT_TRUE(says(find(stuck, "AQ113"), "53 connections wait now"));
  EXPECT_EQ(find(stuck, "AQ113")->severity, Severity::kWarning);
  EXPECT_EQ(stuck.listeners[0].estimated_wait_ms, std::nullopt);
  // Left over from before, and nobody comes.
  const Report silent = report_of(waiting(12, 2048, 0));
  EXPECT_EQ(silent.verdict, Verdict::kSlow);
  EXPECT_EQ(find(silent, "AQ113")->severity, Severity::kNotice);
  EXPECT_EQ(report_of(waiting(9, 2048, 0)).verdict, Verdict::kHealthy);
  observation.seconds = 0.5;  // no server accepts all the time
  EXPECT_EQ(report_of(observation).verdict, Verdict::kHealthy);
}

// Half of the clients are served: which half the kernel chose.
TEST(Slow, MemberOfAGroupWhoseOthersAreServed) {
  const auto group = [](std::uint32_t one, std::uint32_t other) {
    std::vector<facts::Listener> members = {make_listener(80, one, 511, 0),
                                            make_listener(80, other, 511, 0)};
    members[1].cookie = SocketCookie(99);
    members[1].owners[0].pid = Pid(3986);
    Observation observation =
        observe(members, make_namespace(kPod, 4096), members, make_namespace(kPod, 4096));
    observation.tracing = facts::Source::kTracepoints;
    return report_of(observation);
  };
  const Report one = group(152, 0);
  ASSERT_NE(find(one, "AQ111"), nullptr);
  EXPECT_TRUE(says(find(one, "AQ111"),
                   "2 sockets that share 0.0.0.0:80 (SO_REUSEPORT), and the other one never held"));
  EXPECT_TRUE(says(find(one, "AQ111"), "is stuck, no longer accepts, or is gone"));
  EXPECT_EQ(find(one, "AQ111")->cause->kind, CauseKind::kReuseportSkew);
  EXPECT_EQ(find(group(53, 57), "AQ111"), nullptr);
}

TEST(Slow, IsAServerOfWhichTracingSeesThatNothingComes) {
  Observation observation = observe({make_listener(80, 12, 2048, 0), make_listener(81, 0, 2048, 0)},
                                    make_namespace(kPod, 4096),
                                    {make_listener(80, 12, 2048, 0), make_listener(81, 0, 2048, 0)},
                                    make_namespace(kPod, 4096, {{"TcpPassiveOpens", 50}}));
  EXPECT_EQ(report_of(observation).verdict, Verdict::kHealthy);  // whose they were is not known
  observation.tracing = facts::Source::kTracepoints;
  const Report report = report_of(observation);
  EXPECT_EQ(report.verdict, Verdict::kSlow);
  EXPECT_EQ(find(report, "AQ113")->severity, Severity::kNotice);
}

// Two workers that are busy for half a second with each: nine are taken while ninety wait.
TEST(Slow, IsAServerThatTakesFew) {
  Observation observation = waiting(92, 2048, 9);
  observation.tracing = facts::Source::kTracepoints;
  facts::Ledger ledger = make_ledger(observation.after.listeners[0], 0, 0);
  ledger.set(facts::LedgerTerm::kAckQueued, 9);
  ledger.set(facts::LedgerTerm::kAccepted, 9);
  ledger.time_in_queue_ns = {{.below = 20'971'520'000, .count = 9}};
  observation.ledgers = {ledger};
  const Report report = report_of(observation);
  EXPECT_EQ(report.verdict, Verdict::kSlow);
  EXPECT_TRUE(says(find(report, "AQ113"), "had waited for about 21 s"));
}

TEST(Slow, WhatWasMeasuredCounts) {
  const auto run = [](std::uint64_t half_ns) {
    Observation observation = waiting(12, 2048, 10);
    observation.tracing = facts::Source::kFunctions;
    facts::Ledger ledger = make_ledger(observation.after.listeners[0], 0, 0);
    ledger.set(facts::LedgerTerm::kAckQueued, 10);
    ledger.set(facts::LedgerTerm::kAccepted, 10);
    ledger.time_in_queue_ns = {{.below = half_ns, .count = 9},
                               {.below = 9'000'000'000, .count = 1}};
    observation.ledgers = {ledger};
    return report_of(observation);
  };
  EXPECT_EQ(run(80'000'000).verdict, Verdict::kHealthy);
  EXPECT_EQ(run(1'048'576'000).verdict, Verdict::kHealthy);  // 0.92 s and more
  const Report slow = run(2'621'440'000);
  EXPECT_EQ(slow.verdict, Verdict::kSlow);
  EXPECT_TRUE(says(find(slow, "AQ113"), "had waited for about 2.6 s"));
}

// Two CPUs may each find room for the last one.
TEST(Overflow, TellsWhyMoreWaitThanFit) {
  Observation observation = waiting(130, 128, 20);
  observation.after.listeners[0].drops = 30;
  observation.after.namespaces[1].counters["TcpExtListenOverflows"] = 30;
  observation.after.namespaces[1].counters["TcpExtListenDrops"] = 30;
  EXPECT_TRUE(says(find(report_of(observation), "AQ101"), "where two handshakes complete at once"));
}

// An acceptor that has ended, and little traffic.
TEST(Slow, IsAServerThatTakesNoneOfTheFewThatCome) {
  const auto run = [](std::uint32_t before, std::uint32_t after, std::uint64_t arrived) {
    Observation observation = waiting(before, 100, arrived);
    observation.after.listeners[0].accept_queue_len = QueueLength(after);
    return report_of(observation).verdict;
  };
  EXPECT_EQ(run(5, 9, 4), Verdict::kSlow);
  EXPECT_EQ(run(5, 5, 0), Verdict::kHealthy) << "a placeholder";
  EXPECT_EQ(run(0, 4, 4), Verdict::kHealthy) << "they have just come";
  EXPECT_EQ(run(5, 8, 4), Verdict::kHealthy) << "one was taken";
}

// Few refusals are no alarm by themselves, and do not make a long wait any better.
TEST(Slow, StaysAFindingBesideAFewRefusals) {
  Observation observation = waiting(100, 128, 2000);
  observation.before.listeners[0].accept_queue_len = QueueLength(100);
  observation.tracing = facts::Source::kFunctions;
  facts::Ledger ledger = make_ledger(observation.after.listeners[0], 0, 0);
  ledger.set(facts::LedgerTerm::kAckQueued, 2000);
  ledger.set(facts::LedgerTerm::kAccepted, 2000);
  ledger.time_in_queue_ns = {{.below = 2'621'440'000, .count = 2000}};
  observation.ledgers = {ledger};
  EXPECT_EQ(report_of(observation).verdict, Verdict::kSlow);
  ledger.set(facts::LedgerTerm::kSynReceived, 2001);
  ledger.set(facts::LedgerTerm::kSynRefusedAcceptFull, 1);
  ledger.set(facts::LedgerTerm::kAttemptsRefused, 1);
  ledger.set(facts::LedgerTerm::kAttemptsRecovered, 1);
  ledger.delay_s = {{.below = 2, .count = 1}};
  observation.ledgers = {ledger};
  observation.after.listeners[0].drops = 1;
  observation.after.namespaces[1].counters["TcpExtListenOverflows"] = 1;
  observation.after.namespaces[1].counters["TcpExtListenDrops"] = 1;
  const Report report = report_of(observation);
  EXPECT_EQ(report.verdict, Verdict::kOverflowing);
  EXPECT_EQ(find(report, "AQ101")->severity, Severity::kNotice);
  ASSERT_NE(find(report, "AQ113"), nullptr);
  EXPECT_EQ(find(report, "AQ113")->severity, Severity::kWarning);
}

// Where its queue refuses, that is what is found; how long the others wait is a number beside it.
TEST(Slow, IsNoFindingOfAQueueThatRefuses) {
  Observation observation = waiting(129, 128, 20);
  observation.after.listeners[0].drops = 30;
  observation.after.namespaces[1].counters["TcpExtListenOverflows"] = 30;
  observation.after.namespaces[1].counters["TcpExtListenDrops"] = 30;
  const Report report = report_of(observation);
  EXPECT_EQ(report.verdict, Verdict::kOverflowing);
  EXPECT_EQ(find(report, "AQ113"), nullptr);
  EXPECT_FALSE(says(find(report, "AQ101"), "complete at once"));
  EXPECT_DOUBLE_EQ(*report.listeners[0].estimated_wait_ms, 12900);
}

}  // namespace
}  // namespace acceptq::diagnose
