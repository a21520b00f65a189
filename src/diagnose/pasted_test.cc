// Observations of pasted text: what one look, or two without a time, can be concluded from.
#include "diagnose/diagnose_test_support.h"

namespace acceptq::diagnose {
namespace {

constexpr NetnsId kText{1};

facts::Listener pasted(std::uint16_t port, std::uint32_t length,
                       std::optional<std::uint32_t> limit) {
  facts::Listener listener;
  listener.netns = kText;
  listener.port = port;
  listener.pasted_at = "t:" + std::to_string(port);
  listener.accept_queue_len = QueueLength(length);
  if (limit) listener.limit = QueueLimit(*limit);
  return listener;
}

struct Paste {
  std::vector<facts::Listener> listeners;
  Counters before;
  Counters after;
  bool all_listeners = true;
  std::optional<double> seconds = {};
};

Report diagnose_paste(const Paste& paste) {
  facts::Namespace ns;
  ns.id = kText;
  ns.pasted = facts::Pasted{.label = "t",
                            .all_listeners = paste.all_listeners,
                            .compared = !paste.before.empty(),
                            .seconds = paste.seconds};
  facts::Observation observation;
  observation.imported = true;
  observation.before.namespaces = {ns};
  observation.before.namespaces[0].counters = paste.before;
  observation.after.namespaces = {ns};
  observation.after.namespaces[0].counters = paste.after;
  observation.after.listeners = paste.listeners;
  facts::normalize(observation.after);
  Report report = diagnose(observation);
  EXPECT_EQ(contradictions(report, observation.after), std::vector<std::string>{});
  return report;
}

std::vector<std::string> ids(const Report& report) {
  std::vector<std::string> all;
  all.reserve(report.findings.size());
  for (const Finding& finding : report.findings) all.push_back(finding.id);
  return all;
}

using Ids = std::vector<std::string>;

TEST(Pasted, TotalsAloneAreNoRate) {
  const Report report = diagnose_paste(
      {.after = {{"TcpExtListenOverflows", 12178939}, {"TcpExtListenDrops", 12247395}}});
  EXPECT_EQ(report.verdict, Verdict::kOverflowed);
  EXPECT_EQ(ids(report), Ids{"AQ102"});
  EXPECT_FALSE(report.findings[0].evidence.at(0).delta);
}

TEST(Pasted, TwoSamplesWithoutATimeAreNoRateEither) {
  const Report report =
      diagnose_paste({.listeners = {pasted(80, 129, 128)},
                      .before = {{"TcpExtListenOverflows", 100}, {"TcpExtListenDrops", 100}},
                      .after = {{"TcpExtListenOverflows", 512}, {"TcpExtListenDrops", 512}}});
  EXPECT_EQ(report.verdict, Verdict::kOverflowing);
  EXPECT_EQ(report.listeners[0].refused.total, 412U);
  EXPECT_EQ(report.listeners[0].refused.source, facts::Source::kImported);
  EXPECT_FALSE(report.listeners[0].arrivals_per_s);
  EXPECT_TRUE(report.findings.at(0).explanation.starts_with("Between the two samples"));
}

// What grep left of a list may lack the one that it was.
TEST(Pasted, OfAPartOfAListTheOneSeenFullIsTakenAndNoOther) {
  const Counters before = {{"TcpExtListenOverflows", 100}, {"TcpExtListenDrops", 100}};
  const Counters after = {{"TcpExtListenOverflows", 512}, {"TcpExtListenDrops", 512}};
  const Report full = diagnose_paste({.listeners = {pasted(80, 129, 128), pasted(443, 0, 128)},
                                      .before = before,
                                      .after = after,
                                      .all_listeners = false});
  EXPECT_EQ(full.listeners[1].verdict, Verdict::kOverflowing);  // by key: 443 is first
  EXPECT_FALSE(full.listeners[1].refused.total);
  const Report idle = diagnose_paste({.listeners = {pasted(80, 0, 128)},
                                      .before = before,
                                      .after = after,
                                      .all_listeners = false});
  EXPECT_EQ(idle.listeners[0].verdict, Verdict::kHealthy);
  EXPECT_EQ(idle.verdict, Verdict::kOverflowing);  // the namespace's
}

TEST(Pasted, ADropThatIsNoOverflowIsNoAcceptQueues) {
  const Report report =
      diagnose_paste({.listeners = {pasted(80, 0, 511)},
                      .before = {{"TcpExtListenOverflows", 3}, {"TcpExtListenDrops", 900000}},
                      .after = {{"TcpExtListenOverflows", 3}, {"TcpExtListenDrops", 960000}},
                      .seconds = 60});
  EXPECT_EQ(report.verdict, Verdict::kDroppedElsewhere);
  // Whether a SYN queue was full is not in these counters.
  EXPECT_NE(report.findings.at(0).explanation.find("a full SYN queue"), std::string::npos);
}

TEST(Pasted, AListWithoutLimitsLeavesItOpen) {
  const Report report =
      diagnose_paste({.listeners = {pasted(80, 129, {})},
                      .after = {{"TcpExtListenOverflows", 0}, {"TcpExtListenDrops", 0}}});
  EXPECT_EQ(report.listeners[0].verdict, Verdict::kUnknown);
}

// A placeholder that nobody accepts from, by design.
TEST(Pasted, AQueueForOneIsNoAlarmAtOneLook) {
  for (const std::uint32_t limit : {0U, 1U}) {
    const Report report = diagnose_paste({.listeners = {pasted(30080, limit + 1, limit)}});
    for (const Finding& finding : report.findings) {
      EXPECT_EQ(finding.severity, Severity::kNotice) << finding.id;
    }
  }
}

TEST(Pasted, OfOneLookNoneLatelyIsNotSaid) {
  const Report report =
      diagnose_paste({.listeners = {pasted(80, 0, 128)}, .after = {{"TcpExtListenOverflows", 7}}});
  EXPECT_EQ(report.findings.at(0).id, "AQ102");
  EXPECT_EQ(report.findings.at(0).explanation.find("but none"), std::string::npos);
}

}  // namespace
}  // namespace acceptq::diagnose
