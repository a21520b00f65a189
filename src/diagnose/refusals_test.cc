// What refused a listener's handshakes, and how bad it was.
#include "diagnose/refusals.h"

#include <gtest/gtest.h>

#include "diagnose/diagnose_test_support.h"

namespace acceptq::diagnose {
namespace {

using enum facts::LedgerTerm;
using facts::Listener;
using facts::Namespace;
using facts::Observation;

// One listener of a pod, and what its ledger says of the refused.
struct Traced {
  std::uint64_t received = 0;  // SYNs
  std::uint64_t refused = 0;   // of them
  std::uint64_t attempts = 0;
  facts::Histogram delay_s;
  std::uint64_t gave_up = 0;
  std::uint32_t length = 0;
  facts::LedgerTerm term = kSynRefusedAcceptFull;
};

Observation traced(const Traced& given) {
  const std::uint64_t overflows = given.term == kSynRefusedAcceptFull ? given.refused : 0;
  Observation observation = observe(
      {make_listener(80, given.length, 511, 0)}, make_namespace(kPod, 4096),
      {make_listener(80, given.length, 511, static_cast<std::uint32_t>(given.refused))},
      make_namespace(kPod, 4096,
                     {{"TcpExtListenOverflows", overflows}, {"TcpExtListenDrops", given.refused}}));
  observation.tracing = facts::Source::kFunctions;
  facts::Ledger ledger = make_ledger(observation.after.listeners[0], 0, 0);
  ledger.set(kSynReceived, given.received);
  ledger.set(given.term, given.refused);
  ledger.set(kAttemptsRefused, given.attempts);
  std::uint64_t recovered = 0;
  for (const facts::Bucket& bucket : given.delay_s) recovered += bucket.count;
  ledger.set(kAttemptsRecovered, recovered);
  ledger.delay_s = given.delay_s;
  ledger.gave_up = given.gave_up;
  observation.ledgers = {ledger};
  return observation;
}

TEST(SeverityOfRefusals, GoesByWhatBecameOfTheAttempts) {
  struct Row {
    const char* what;
    Traced given;
    Severity severity;
  };
  const Row rows[] = {
      {"one of 210 came through a second later",
       {.received = 211, .refused = 1, .attempts = 1, .delay_s = {{.below = 2, .count = 1}}},
       Severity::kNotice},
      {"one of 210, under way at the end",
       {.received = 210, .refused = 1, .attempts = 1},
       Severity::kNotice},
      {"one in five came through a second later",
       {.received = 1200, .refused = 200, .attempts = 200, .delay_s = {{.below = 2, .count = 200}}},
       Severity::kWarning},
      {"some needed two retries",
       {.received = 1020, .refused = 20, .attempts = 10, .delay_s = {{.below = 4, .count = 10}}},
       Severity::kWarning},
      {"one in a hundred was given up",
       {.received = 100, .refused = 1, .attempts = 1, .gave_up = 1},
       Severity::kCritical},
      {"one in a thousand was given up",
       {.received = 1000, .refused = 1, .attempts = 1, .gave_up = 1},
       Severity::kWarning},
      {"one in a hundred came 7 s later",
       {.received = 103, .refused = 3, .attempts = 1, .delay_s = {{.below = 8, .count = 1}}},
       Severity::kCritical},
      {"most are refused, and nothing came of them yet",
       {.received = 500, .refused = 400, .attempts = 97},
       Severity::kCritical},
      {"few are refused, but the queue is full at the end",
       {.received = 1000, .refused = 20, .attempts = 20, .length = 512},
       Severity::kCritical},
  };
  for (const Row& row : rows) {
    const Report report = report_of(traced(row.given));
    EXPECT_EQ(report.verdict, Verdict::kOverflowing) << row.what;
    const Finding* finding = find(report, "AQ101");
    ASSERT_NE(finding, nullptr) << row.what;
    EXPECT_EQ(finding->severity, row.severity) << row.what;
    // What limits the queue is no worse than what it led to.
    EXPECT_LE(find(report, "AQ105")->severity, row.severity) << row.what;
  }
}

TEST(SeverityOfRefusals, ByCountersGoesByTheShareOfPackets) {
  const auto run = [](std::uint64_t refused, std::uint64_t completed) {
    return report_of(observe({make_listener(80, 0, 128, 0)}, make_namespace(kPod, 128),
                             {make_listener(80, 0, 128, static_cast<std::uint32_t>(refused))},
                             make_namespace(kPod, 128,
                                            {{"TcpExtListenOverflows", refused},
                                             {"TcpExtListenDrops", refused},
                                             {"TcpPassiveOpens", completed}})));
  };
  EXPECT_EQ(find(run(1, 1000), "AQ101")->severity, Severity::kWarning);
  EXPECT_EQ(find(run(100, 900), "AQ101")->severity, Severity::kCritical);
  EXPECT_EQ(find(run(50, 0), "AQ101")->severity, Severity::kCritical);
}

TEST(OtherReasons, AreNoOverflow) {
  for (const auto term : {kSynRefusedOther, kSynRefusedNoRoute}) {
    const Report report =
        report_of(traced({.received = 50, .refused = 3, .attempts = 3, .term = term}));
    EXPECT_EQ(report.verdict, Verdict::kDroppedElsewhere);
    EXPECT_EQ(find(report, "AQ101"), nullptr);
    EXPECT_EQ(find(report, "AQ105"), nullptr);
    ASSERT_NE(find(report, "AQ107"), nullptr);
    EXPECT_EQ(find(report, "AQ107")->listener, report.listeners[0].key);
    EXPECT_EQ(says(find(report, "AQ107"), "3 for want of a route back"),
              term == kSynRefusedNoRoute);
  }
  // By counters alone.
  const Report counted = report_of(observe(
      {make_listener(80, 0, 511, 0)}, make_namespace(kPod, 4096), {make_listener(80, 0, 511, 70)},
      make_namespace(kPod, 4096, {{"TcpExtListenDrops", 70}})));
  EXPECT_EQ(counted.listeners[0].verdict, Verdict::kDroppedElsewhere);
  EXPECT_NE(find(counted, "AQ107"), nullptr);
}

TEST(OtherReasons, SayWhatTheLookupOfRoutesGave) {
  const auto said = [](std::vector<facts::RefusedClient> clients) {
    Observation observation =
        traced({.received = 50, .refused = 3, .attempts = 3, .term = kSynRefusedOther});
    observation.ledgers[0].clients = std::move(clients);
    return find(report_of(observation), "AQ107")->explanation;
  };
  const auto client = [](const char* address, std::optional<facts::RouteBack> route) {
    return facts::RefusedClient{
        .address = *facts::IpAddress::parse(address), .prefix_bits = 32, .route = route};
  };
  using enum facts::RouteBack;
  EXPECT_NE(said({client("10.1.2.3", kNone), client("10.1.2.4", kNone), client("10.1.3.1", kFound),
                  client("10.1.4.1", kBlackhole)})
                .find(" there was no route back to 10.1.2.3 and 1 more address, a \"blackhole\" "
                      "route back to 10.1.4.1."),
            std::string::npos);
  EXPECT_NE(said({client("10.1.2.3", kFound)}).find(" there was a route back to 10.1.2.3."),
            std::string::npos);
  EXPECT_EQ(said({client("10.1.2.3", std::nullopt)}).find("10.1.2.3"), std::string::npos);
}

TEST(SynQueue, FullWithoutCookiesIsNoOverflowOfTheAcceptQueue) {
  Observation observation = traced(
      {.received = 200, .refused = 150, .attempts = 60, .gave_up = 4, .term = kSynRefusedSynFull});
  for (Namespace& ns : observation.after.namespaces) ns.sysctls[facts::kSyncookies].value = 0;
  observation.after.namespaces[1].counters["TcpExtTCPReqQFullDrop"] = 150;
  const Report report = report_of(observation);
  EXPECT_EQ(report.verdict, Verdict::kOverflowing);
  EXPECT_EQ(find(report, "AQ101"), nullptr);
  EXPECT_EQ(find(report, "AQ105"), nullptr);
  EXPECT_EQ(find(report, "AQ203"), nullptr);
  ASSERT_NE(find(report, "AQ201"), nullptr);
  EXPECT_EQ(find(report, "AQ201")->severity, Severity::kCritical);
  EXPECT_EQ(find(report, "AQ201")->listener, report.listeners[0].key);
  // Some for a full accept queue as well: both are said.
  observation.ledgers[0].set(kSynRefusedAcceptFull, 20);
  observation.after.namespaces[1].counters["TcpExtListenOverflows"] = 20;
  const Report both = report_of(observation);
  EXPECT_TRUE(
      says(find(both, "AQ101"), "refused 20 packets of new handshakes for it (170 in all)"));
  EXPECT_TRUE(
      says(find(both, "AQ201"), "refused 150 packets of new handshakes for it (170 in all)"));
}

TEST(AbortOnOverflow, DoesNotResetTheAcksOfCookies) {
  Observation observation = traced({.received = 800, .refused = 0, .attempts = 643});
  observation.after.namespaces[1].sysctls[facts::kAbortOnOverflow].value = 1;
  observation.ledgers[0].set(kAckRefusedFull, 54);
  observation.ledgers[0].set(kCookieAckRefusedFull, 589);
  observation.ledgers[0].set(kAckReset, 54);
  const Report report = report_of(observation);
  EXPECT_TRUE(
      says(find(report, "AQ109"),
           "Of 643 final ACKs that were refused, 54 were answered by a reset; 589 answered a "
           "SYN cookie"))
      << find(report, "AQ109")->explanation;
}

// What was refused at the ACK of a cookie is not in the packets, only in the counters.
TEST(Packets, APartOfTheRefusalsDoesNotSpeakForAll) {
  Observation observation =
      traced({.received = 160, .refused = 7, .attempts = 7, .delay_s = {{.below = 2, .count = 7}}});
  facts::Namespace& ns = observation.after.namespaces[1];
  ns.sysctls[facts::kAbortOnOverflow].value = 1;
  ns.counters["TcpExtListenOverflows"] = ns.counters["TcpExtListenDrops"] = 471;
  ns.counters["TcpPassiveOpens"] = 120;
  observation.after.listeners[0].drops = 471;
  observation.tracing = observation.ledgers[0].source = facts::Source::kPackets;
  observation.ledgers[0].set(kAckReset, 23);
  const Report report = report_of(observation);
  EXPECT_EQ(report.listeners.at(0).refused.recovered, std::nullopt);
  EXPECT_FALSE(says(find(report, "AQ101"), "came through later"))
      << find(report, "AQ101")->explanation;
  EXPECT_EQ(find(report, "AQ101")->severity, Severity::kCritical);
  // The counters tell of all.
  EXPECT_FALSE(says(find(report, "AQ101"), "at least")) << find(report, "AQ101")->explanation;
  EXPECT_FALSE(says(find(report, "AQ109"), "Of 0")) << find(report, "AQ109")->explanation;
}

// Clients that repeat what they began before the watch are clients, not "0 attempts".
TEST(Refusals, RetriesOfEarlierAttemptsAreCalledThat) {
  Observation observation = traced({.received = 40, .refused = 4, .attempts = 0, .length = 512});
  observation.ledgers[0].addresses = 1;
  const Report report = report_of(observation);
  const Finding* finding = find(report, "AQ101");
  ASSERT_NE(finding, nullptr);
  EXPECT_TRUE(says(finding, "of earlier attempts to connect")) << finding->explanation;
}

TEST(Neighbours, CountersOfANamespaceAreOfNoOneListener) {
  const Namespace pod =
      make_namespace(kPod, 4096, {{"TcpExtListenOverflows", 92}, {"TcpExtListenDrops", 92}});
  const std::vector<Listener> two = {make_listener(80, 0, 511, 92), make_listener(81, 0, 511, 3)};
  const Report report = report_of(observe(two, pod, two, pod));
  EXPECT_EQ(report.verdict, Verdict::kOverflowed);
  EXPECT_EQ(report.listeners[0].verdict, Verdict::kHealthy);
  EXPECT_EQ(report.listeners[1].verdict, Verdict::kHealthy);
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].listener, std::nullopt);
  EXPECT_TRUE(says(&report.findings[0], "in this network namespace"));
  // Alone, but made after it happened.
  const std::vector<Listener> restarted = {make_listener(80, 0, 511, 0)};
  EXPECT_EQ(report_of(observe(restarted, pod, restarted, pod)).listeners[0].verdict,
            Verdict::kHealthy);
}

TEST(Past, IsSaidBesideAFullQueue) {
  const Namespace pod =
      make_namespace(kPod, 128, {{"TcpExtListenOverflows", 92}, {"TcpExtListenDrops", 92}});
  const std::vector<Listener> full = {make_listener(80, 129, 128, 92)};
  const Report report = report_of(observe(full, pod, full, pod));
  EXPECT_EQ(report.verdict, Verdict::kAtRisk);
  EXPECT_NE(find(report, "AQ108"), nullptr);
  EXPECT_TRUE(says(find(report, "AQ102"), "92 packets"));
}

TEST(Full, AndSilentIsANotice) {
  const Namespace pod = make_namespace(kPod, 4096);
  const std::vector<Listener> full = {make_listener(80, 2, 1, 0)};
  const Report silent = report_of(observe(full, pod, full, pod));
  EXPECT_EQ(silent.verdict, Verdict::kAtRisk);
  EXPECT_EQ(find(silent, "AQ108")->severity, Severity::kNotice);
  EXPECT_EQ(find(silent, "AQ105")->severity, Severity::kNotice);
  // Something comes.
  const Report filling = report_of(observe({make_listener(80, 1, 1, 0)}, pod, full, pod));
  EXPECT_EQ(find(filling, "AQ108")->severity, Severity::kWarning);
  // It refuses.
  const Report refusing = report_of(observe(
      full, pod, {make_listener(80, 2, 1, 9)},
      make_namespace(kPod, 4096, {{"TcpExtListenOverflows", 9}, {"TcpExtListenDrops", 9}})));
  EXPECT_EQ(find(refusing, "AQ101")->severity, Severity::kCritical);
  EXPECT_TRUE(says(find(refusing, "AQ101"), "None of those that wait was taken."));
}

TEST(SingleSnapshot, SaysNothingOfWhatChanges) {
  const Namespace pod = make_namespace(kPod, 128);
  const std::vector<Listener> full = {make_listener(80, 129, 128, 5)};
  const Report report = report_of(observe(full, pod, full, pod, 0));
  EXPECT_FALSE(says(find(report, "AQ108"), "while acceptq watched"));
  EXPECT_EQ(report.listeners[0].refused.total, std::nullopt);
  EXPECT_EQ(report.listeners[0].accepts_per_s, std::nullopt);
}

TEST(Unknown, HasAFinding) {
  Namespace pod = make_namespace(kPod, 128);
  pod.counters.clear();
  Listener listener = make_listener(80, 0, 128, 0);
  listener.drops.reset();
  const Report report = report_of(observe({listener}, pod, {listener}, pod));
  EXPECT_EQ(report.verdict, Verdict::kUnknown);
  ASSERT_NE(find(report, "AQ606"), nullptr);
  EXPECT_EQ(find(report, "AQ606")->severity, Severity::kNotice);
}

}  // namespace
}  // namespace acceptq::diagnose
