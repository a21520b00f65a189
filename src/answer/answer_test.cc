#include "answer/answer.h"

#include <gtest/gtest.h>

#include "diagnose/diagnose_test_support.h"

namespace acceptq::answer {
namespace {

using diagnose::Verdict;

constexpr NetnsId kHost{1};
constexpr NetnsId kPod{7};

facts::Listener listener_in(NetnsId netns, std::uint16_t port) {
  facts::Listener listener;
  listener.netns = netns;
  listener.port = port;
  listener.cookie = SocketCookie(port);
  return listener;
}

// :22 on the host, healthy; :80 in a pod, overflowing; a namespace that could not be entered.
struct Seen : Answer {
  Seen() {
    facts::Snapshot& after = observation.after;
    after.namespaces.resize(2);
    after.namespaces[0].id = kHost;
    after.namespaces[0].is_host = true;
    after.namespaces[1].id = kPod;
    after.listeners = {listener_in(kHost, 22), listener_in(kPod, 80)};
    after.blind_spots = {{.id = "AQ602", .scope = "netns:99", .unobserved = true},
                         {.id = "AQ606", .scope = "netns:7"},
                         {.id = "AQ605", .scope = "host"}};
    report.verdict = Verdict::kOverflowing;
    report.listeners = {{.key = key(0), .verdict = Verdict::kHealthy},
                        {.key = key(1), .verdict = Verdict::kOverflowing}};
    report.findings = {{.id = "AQ101", .listener = key(1)},
                       {.id = "AQ107", .netns = kPod},
                       {.id = "AQ102", .netns = kHost},
                       {.id = "AQ204"}};
    report.books = {{.netns = kHost}, {.netns = kPod}};
  }
  [[nodiscard]] std::string key(std::size_t i) const {
    return facts::listener_key(observation.after.listeners[i]);
  }
  [[nodiscard]] Status narrow_to(const char* selector) {
    return narrow({*select::parse_selector(selector)}, {}, *this);
  }
  [[nodiscard]] std::string ids() const {
    std::string text;
    for (const diagnose::Finding& finding : report.findings) text += finding.id + " ";
    text += "| ";
    for (const facts::BlindSpot& spot : observation.after.blind_spots) text += spot.scope + " ";
    return text;
  }
};

TEST(Narrow, KeepsTheListenerThatASelectedOneWaitsFor) {
  Seen seen;
  seen.report.findings.push_back({.id = "AQ315",
                                  .listener = seen.key(0),
                                  .cause = diagnose::Cause{.kind = diagnose::CauseKind::kUpstream,
                                                           .detail = {{"listener", seen.key(1)}}}});
  ASSERT_TRUE(seen.narrow_to(":22"));
  EXPECT_EQ(seen.report.listeners.size(), 2U);
  EXPECT_EQ(seen.observation.after.namespaces.size(), 2U);
  EXPECT_EQ(seen.report.verdict, Verdict::kOverflowing);
}

TEST(Narrow, KeepsEverythingWithoutSelectors) {
  Seen seen;
  ASSERT_TRUE(narrow({}, {}, seen));
  EXPECT_EQ(seen.ids(), "AQ101 AQ107 AQ102 AQ204 | netns:99 netns:7 host ");
}

TEST(Narrow, KeepsWhatConcernsTheSelected) {
  Seen seen;
  ASSERT_TRUE(seen.narrow_to(":80"));
  EXPECT_TRUE(seen.warnings.empty());
  ASSERT_EQ(seen.report.listeners.size(), 1U);
  EXPECT_EQ(seen.report.listeners[0].key, seen.key(0));
  EXPECT_EQ(seen.report.verdict, Verdict::kOverflowing);
  ASSERT_EQ(seen.report.books.size(), 1U);
  EXPECT_EQ(seen.report.books[0].netns, kPod);
  EXPECT_EQ(seen.ids(), "AQ101 AQ107 AQ204 | netns:7 host ");
}

TEST(Narrow, JudgesTheSelectedAlone) {
  Seen seen;
  ASSERT_TRUE(seen.narrow_to(":22"));
  EXPECT_EQ(seen.report.listeners[0].verdict, Verdict::kHealthy);
  // Of its namespace, which is in the report as well.
  EXPECT_EQ(seen.report.verdict, Verdict::kOverflowed);
  EXPECT_EQ(seen.ids(), "AQ102 AQ204 | host ");
}

TEST(Narrow, WarnsWhereTheSelectedMayBeHidden) {
  for (const char* selector : {"netns:99", ":81", "comm:nginx"}) {
    Seen seen;
    ASSERT_TRUE(seen.narrow_to(selector)) << selector;
    EXPECT_EQ(seen.warnings.size(), 1U) << selector;
    EXPECT_TRUE(seen.report.listeners.empty()) << selector;
    EXPECT_TRUE(seen.observation.after.blind_spots.front().unobserved) << selector;
  }
}

TEST(Narrow, FailsWhereNothingCanMatch) {
  Seen seen;
  const auto other_namespace = seen.narrow_to("netns:98");
  ASSERT_FALSE(other_namespace);
  EXPECT_EQ(other_namespace.error().code, ErrorCode::kNotFound);
  seen.observation.after.blind_spots.clear();
  const auto port = seen.narrow_to(":81");
  ASSERT_FALSE(port);
  EXPECT_NE(port.error().context.find("0.0.0.0:22"), std::string::npos) << port.error().context;
}

TEST(Narrow, SaysThatClientsAreTurnedAwayWhereNothingListens) {
  Seen seen;
  seen.observation.after.blind_spots.clear();
  facts::DeadSyn syn;
  syn.port = 81;
  syn.reason = facts::kNoSocket;
  syn.packets = 40;
  seen.observation.dead_syns = {syn};
  const auto port = seen.narrow_to(":81");
  ASSERT_FALSE(port);
  EXPECT_NE(port.error().context.find("40 SYNs to 0.0.0.0:81 were answered by a reset"),
            std::string::npos)
      << port.error().context;
}

TEST(Narrow, WarnsOfOneOfSeveralThatMatchesNothing) {
  Seen seen;
  seen.observation.after.blind_spots.clear();
  ASSERT_TRUE(narrow({*select::parse_selector(":81"), *select::parse_selector(":80")}, {}, seen));
  ASSERT_EQ(seen.warnings.size(), 1U);
  EXPECT_TRUE(seen.warnings.front().starts_with("no listener matches \":81\"; seen were "));
  EXPECT_EQ(seen.report.listeners.size(), 1U);
  const auto none =
      narrow({*select::parse_selector(":81"), *select::parse_selector(":82")}, {}, seen);
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().context.find(":82"), std::string::npos) << none.error().context;
}

// As a snapshot alone cannot tell: the host is asked, where it is this one.
TEST(Narrow, SaysThatAProcessIsGone) {
  Seen seen;
  const auto gone = narrow({*select::parse_selector("pid:77")}, [](Pid) { return false; }, seen);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().context, "there is no process 77");
  // What may be hidden is not gone.
  EXPECT_TRUE(narrow({*select::parse_selector("pid:77")}, [](Pid) { return true; }, seen));
}

TEST(Narrow, LeavesTheAnswerWhereItFails) {
  Seen seen;
  ASSERT_FALSE(seen.narrow_to("netns:98"));
  EXPECT_EQ(seen.ids(), "AQ101 AQ107 AQ102 AQ204 | netns:99 netns:7 host ");
  EXPECT_EQ(seen.observation.after.listeners.size(), 2U);
}

TEST(Narrow, WarnsOfSelectedListenersThatHaveEnded) {
  Seen seen;
  seen.observation.after.listeners[1].closed = true;
  ASSERT_TRUE(seen.narrow_to(":80"));
  EXPECT_EQ(seen.warnings, std::vector<std::string>{"0.0.0.0:80 ended while acceptq watched"});
}

// A queue of 128 that is full and has refused: its finding comes with remedies, of it alone.
TEST(Answer, DiagnosesAdvisesAndNarrows) {
  using diagnose::make_listener;
  using diagnose::make_namespace;
  const facts::Observation observation =
      diagnose::observe({make_listener(80, 129, 128, 0), make_listener(81, 0, 128, 0)},
                        make_namespace(diagnose::kPod, 128),
                        {make_listener(80, 129, 128, 40), make_listener(81, 0, 128, 0)},
                        make_namespace(diagnose::kPod, 128,
                                       {{"TcpExtListenOverflows", 40}, {"TcpExtListenDrops", 40}}));
  const auto whole = answer(observation);
  EXPECT_EQ(whole.report.listeners.size(), 2U);
  const auto narrowed = answer(observation, {*select::parse_selector(":80")}, {});
  ASSERT_TRUE(narrowed);
  EXPECT_TRUE(narrowed->warnings.empty());
  ASSERT_EQ(narrowed->report.listeners.size(), 1U);
  EXPECT_EQ(narrowed->report.verdict, Verdict::kOverflowing);
  const diagnose::Finding* overflow = diagnose::find(narrowed->report, "AQ101");
  ASSERT_NE(overflow, nullptr);
  EXPECT_FALSE(overflow->remedies.empty());
  EXPECT_FALSE(answer(observation, {*select::parse_selector(":82")}, {}));
}

TEST(Answer, SaysWhichLedgersItDoesNotBelieve) {
  using diagnose::make_listener;
  const facts::Namespace pod = diagnose::make_namespace(diagnose::kPod, 4096);
  facts::Observation observation =
      diagnose::observe({make_listener(80, 0, 511, 0)}, pod, {make_listener(80, 0, 511, 600)}, pod);
  observation.tracing = facts::Source::kTracepoints;
  observation.ledgers = {diagnose::make_ledger(observation.after.listeners[0], 146, 0)};
  observation.ledgers[0].source = facts::Source::kTracepoints;
  const auto narrowed = answer(observation, {*select::parse_selector(":80")}, {});
  ASSERT_TRUE(narrowed);
  ASSERT_EQ(narrowed->observation.after.blind_spots.size(), 1U);
  EXPECT_EQ(narrowed->observation.after.blind_spots[0].id, "AQ611");
}

}  // namespace
}  // namespace acceptq::answer
