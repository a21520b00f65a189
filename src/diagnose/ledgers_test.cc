// What tracing and packets counted, and how far it is believed beside the counters.
#include <gtest/gtest.h>

#include "diagnose/diagnose_test_support.h"

namespace acceptq::diagnose {
namespace {

using facts::Namespace;
using facts::Observation;

// Packets show that a SYN got no answer, and not why: what is refused, the counters say.
TEST(Diagnose, BelievesPacketsAsFarAsTheCountersGo) {
  using enum facts::LedgerTerm;
  struct Row {
    std::uint32_t counted;  // by ListenDrops and the socket
    std::optional<std::uint64_t> total, at_syn, at_ack, attempts;
    std::uint64_t unanswered;
  };
  const Row rows[] = {
      {.counted = 0, .total = 0, .unanswered = 12},
      {.counted = 10, .total = 10, .at_syn = 7, .at_ack = 3, .unanswered = 5},
      {.counted = 50, .total = 15, .at_syn = 12, .at_ack = 3, .attempts = 9, .unanswered = 0},
  };
  for (const Row& row : rows) {
    Observation observation =
        observe({make_listener(80, 129, 128, 0)}, make_namespace(kPod, 128),
                {make_listener(80, 129, 128, row.counted)},
                make_namespace(kPod, 128, {{"TcpExtListenDrops", row.counted}}));
    observation.tracing = facts::Source::kPackets;
    facts::Ledger ledger;
    ledger.netns = kPod;
    ledger.port = 80;
    ledger.cookie = observation.after.listeners[0].cookie;
    ledger.source = facts::Source::kPackets;
    ledger.set(kSynRefusedOther, 12);
    ledger.set(kAckRefusedOther, 3);
    ledger.set(kAttemptsRefused, 9);
    ledger.syn_unanswered = 12;
    observation.ledgers = {ledger};
    const Report report = report_of(observation);
    const Finding* elsewhere = find(report, "AQ401");
    ASSERT_EQ(elsewhere != nullptr, row.counted == 0) << row.counted;
    if (elsewhere != nullptr) {
      EXPECT_EQ(report.verdict, Verdict::kDroppedElsewhere);
      EXPECT_LT(elsewhere->confidence, 1.0);
    }
    const ListenerReport& listener = report.listeners.at(0);
    EXPECT_EQ(listener.refused.total, row.total) << row.counted;
    EXPECT_EQ(listener.refused.at_syn, row.at_syn) << row.counted;
    EXPECT_EQ(listener.refused.at_ack, row.at_ack) << row.counted;
    EXPECT_EQ(listener.refused.attempts, row.attempts) << row.counted;
    EXPECT_EQ(listener.syn_unanswered, row.unanswered) << row.counted;
    EXPECT_EQ(listener.refused.at_least, row.counted > 0) << row.counted;
  }
}

// Listeners that tracing met late: what their ledgers hold is not all that was refused.
TEST(Diagnose, LedgersThatLackSomeSayAtLeast) {
  for (const std::uint64_t counted : {56U, 60U, 466U}) {
    Observation observation = observe(
        {make_listener(80, 6, 5, 0)},
        make_namespace(kPod, 4096, {{"TcpExtListenDrops", 0}, {"TcpExtListenOverflows", 0}}),
        {make_listener(80, 6, 5, static_cast<std::uint32_t>(counted))},
        make_namespace(kPod, 4096,
                       {{"TcpExtListenDrops", counted}, {"TcpExtListenOverflows", counted}}));
    observation.tracing = facts::Source::kTracepoints;
    facts::Ledger ledger = make_ledger(observation.after.listeners[0], 56, 0);
    ledger.source = facts::Source::kTracepoints;
    observation.ledgers = {ledger};
    const Report report = report_of(observation);
    EXPECT_EQ(report.listeners.at(0).refused.total, 56U);
    EXPECT_EQ(report.listeners.at(0).refused.at_least, counted == 466) << counted;
    const Finding* overflow = find(report, "AQ101");
    ASSERT_NE(overflow, nullptr);
    EXPECT_EQ(overflow->explanation.find("at least 56 packets") != std::string::npos,
              counted == 466)
        << overflow->explanation;
  }
}

// As older recordings have it: resets beside healthy clients.
TEST(Diagnose, DoesNotBelieveLedgersThatHoldMoreThanTheCountersGrew) {
  const Namespace pod = make_namespace(kPod, 4096, {{"TcpExtListenDrops", 0}});
  Observation observation =
      observe({make_listener(80, 0, 511, 0)}, pod, {make_listener(80, 0, 511, 600)}, pod);
  facts::Ledger ledger = make_ledger(observation.after.listeners[0], 146, 0);
  ledger.source = facts::Source::kTracepoints;
  observation.tracing = facts::Source::kTracepoints;
  observation.ledgers = {ledger};
  const Report report = diagnose(observation);
  EXPECT_EQ(report.verdict, Verdict::kHealthy);
  EXPECT_EQ(report.listeners.at(0).refused.total, 0U);
  EXPECT_EQ(report.listeners.at(0).refused.source, facts::Source::kCounters);
  const auto spots = disbelieved_ledgers(observation);
  ASSERT_EQ(spots.size(), 1U);
  EXPECT_EQ(spots[0].scope, "netns:" + std::to_string(kPod.value()));
  EXPECT_NE(spots[0].reason.find("146"), std::string::npos) << spots[0].reason;
  observation.ledgers[0].source = facts::Source::kFunctions;
  EXPECT_TRUE(disbelieved_ledgers(observation).empty());
}

// Counters are the namespace's, and sk_drops counts some packets twice: ledgers tell listeners
// apart.
TEST(Diagnose, TakesLedgersBeforeCounters) {
  Observation observation = observe(
      {make_listener(80, 129, 128, 10), make_listener(81, 6, 5, 10)}, make_namespace(kPod, 128),
      {make_listener(80, 129, 128, 50), make_listener(81, 2, 5, 20)},
      make_namespace(kPod, 128, {{"TcpExtListenOverflows", 45}, {"TcpExtListenDrops", 45}}));
  observation.tracing = facts::Source::kFunctions;
  observation.ledgers = {make_ledger(observation.after.listeners[1], 0, 5),
                         make_ledger(observation.after.listeners[0], 40, 0)};
  observation.ledgers[1].longest = QueueLength(129);
  observation.ledgers[1].time_in_queue_ns = {{.below = 2'500'000'000, .count = 95},
                                             {.below = 2'600'000'000, .count = 5}};
  observation.ledgers[1].set(facts::LedgerTerm::kAcceptedUntimed, 11);
  const Report report = report_of(observation);
  const ListenerReport& first = report.listeners[0];
  EXPECT_EQ(first.verdict, Verdict::kOverflowing);
  EXPECT_EQ(first.refused.total, 40U);
  EXPECT_EQ(first.refused.at_syn, 40U);
  EXPECT_EQ(first.refused.attempts, 40U);
  EXPECT_EQ(first.refused.addresses, 2U);
  EXPECT_EQ(first.refused.source, facts::Source::kFunctions);
  ASSERT_TRUE(first.time_in_queue.has_value());
  EXPECT_DOUBLE_EQ(first.time_in_queue->p50_ms, 2500);
  EXPECT_DOUBLE_EQ(first.time_in_queue->p99_ms.value_or(0), 2600);
  const ListenerReport& second = report.listeners[1];
  EXPECT_EQ(second.verdict, Verdict::kOverflowing);
  EXPECT_EQ(second.refused.total, 5U);
  EXPECT_EQ(second.refused.at_ack, 5U);
  EXPECT_FALSE(second.time_in_queue.has_value());
}

// The few that wait long are easier to time than the many that do not.
TEST(Diagnose, GivesNoTimeInQueueWhereTooFewWereTimed) {
  Observation observation = observe({make_listener(80, 0, 128, 0)}, make_namespace(kPod, 128),
                                    {make_listener(80, 0, 128, 0)}, make_namespace(kPod, 128));
  observation.tracing = facts::Source::kTracepoints;
  facts::Ledger ledger = make_ledger(observation.after.listeners[0], 0, 0);
  ledger.time_in_queue_ns = {{.below = 1'000'000, .count = 89}};
  ledger.set(facts::LedgerTerm::kAcceptedUntimed, 11);
  observation.ledgers = {ledger};
  EXPECT_FALSE(report_of(observation).listeners[0].time_in_queue.has_value());
}

TEST(Diagnose, KnowsThatNothingWasRefusedWhereItTraced) {
  Observation observation = observe({make_listener(80, 0, 128, 0)}, make_namespace(kPod, 128),
                                    {make_listener(80, 0, 128, 0)}, make_namespace(kPod, 128));
  EXPECT_EQ(report_of(observation).listeners[0].refused.attempts, std::nullopt);
  observation.tracing = facts::Source::kFunctions;
  const Refused refused = report_of(observation).listeners[0].refused;
  EXPECT_EQ(refused.at_syn, 0U);
  EXPECT_EQ(refused.attempts, 0U);
}

}  // namespace
}  // namespace acceptq::diagnose
