#include "cli/selection.h"

#include <gtest/gtest.h>

#include "cli/commands.h"

namespace acceptq::cli {
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
struct Seen {
  facts::Observation observation;
  diagnose::Report report;

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
  }
  [[nodiscard]] std::string key(std::size_t i) const {
    return facts::listener_key(observation.after.listeners[i]);
  }
  [[nodiscard]] Result<std::vector<std::string>> narrow_to(const char* selector) {
    return narrow({*select::parse_selector(selector)}, observation, report, {});
  }
  [[nodiscard]] std::string ids() const {
    std::string text;
    for (const diagnose::Finding& finding : report.findings) text += finding.id + " ";
    text += "| ";
    for (const facts::BlindSpot& spot : observation.after.blind_spots) text += spot.scope + " ";
    return text;
  }
};

TEST(Narrow, KeepsEverythingWithoutSelectors) {
  Seen seen;
  ASSERT_TRUE(narrow({}, seen.observation, seen.report, {}));
  EXPECT_EQ(seen.ids(), "AQ101 AQ107 AQ102 AQ204 | netns:99 netns:7 host ");
}

TEST(Narrow, KeepsWhatConcernsTheSelected) {
  Seen seen;
  const auto warnings = seen.narrow_to(":80");
  ASSERT_TRUE(warnings.has_value());
  EXPECT_TRUE(warnings->empty());
  ASSERT_EQ(seen.report.listeners.size(), 1U);
  EXPECT_EQ(seen.report.listeners[0].key, seen.key(0));
  EXPECT_EQ(seen.report.verdict, Verdict::kOverflowing);
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
    const auto warnings = seen.narrow_to(selector);
    ASSERT_TRUE(warnings.has_value()) << selector;
    EXPECT_EQ(warnings->size(), 1U) << selector;
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

TEST(Narrow, WarnsOfOneOfSeveralThatMatchesNothing) {
  Seen seen;
  seen.observation.after.blind_spots.clear();
  const auto warnings = narrow({*select::parse_selector(":81"), *select::parse_selector(":80")},
                               seen.observation, seen.report, {});
  ASSERT_TRUE(warnings.has_value());
  ASSERT_EQ(warnings->size(), 1U);
  EXPECT_TRUE(warnings->front().starts_with("no listener matches \":81\"; seen were "));
  EXPECT_EQ(seen.report.listeners.size(), 1U);
  const auto none = narrow({*select::parse_selector(":81"), *select::parse_selector(":82")},
                           seen.observation, seen.report, {});
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().context.find(":82"), std::string::npos) << none.error().context;
}

TEST(KeepTheEnded, KeepsSelectedListenersThatAreGone) {
  Seen seen;
  facts::Observation& observation = seen.observation;
  observation.after.blind_spots.clear();
  observation.before = observation.after;
  facts::Listener ended = listener_in(kPod, 8080);
  ended.owners = {{.pid = Pid(77), .fd = 3}};
  ended.accept_queue_len = QueueLength(5);
  observation.before.listeners.push_back(ended);
  observation.before.listeners.push_back(listener_in(kPod, 8081));
  observation.before.processes = {{.pid = Pid(77), .comm = "web"}};
  select::keep_the_ended({*select::parse_selector("comm:web")}, observation);
  ASSERT_EQ(observation.after.listeners.size(), 3U);
  const auto warnings =
      narrow({*select::parse_selector("comm:web")}, observation, seen.report, is_process);
  ASSERT_TRUE(warnings.has_value());
  EXPECT_EQ(*warnings, std::vector<std::string>{"0.0.0.0:8080 ended while acceptq watched"});
  ASSERT_EQ(observation.after.listeners.size(), 1U);
  EXPECT_TRUE(observation.after.listeners[0].closed);
  EXPECT_EQ(observation.after.listeners[0].accept_queue_len, QueueLength(0));
}

TEST(KeepTheEnded, DoesNotTakeTheUnseenForEnded) {
  Seen seen;
  facts::Observation& observation = seen.observation;
  observation.before = observation.after;
  observation.before.listeners.push_back(listener_in(kPod, 8080));
  observation.after.blind_spots = {{.id = "AQ602", .scope = "netns:7", .unobserved = true}};
  select::keep_the_ended({*select::parse_selector(":8080")}, observation);
  EXPECT_EQ(observation.after.listeners.size(), 2U);
  select::keep_the_ended({}, observation);
  EXPECT_EQ(observation.after.listeners.size(), 2U);
}

TEST(CodeOfSelection, TellsWhatMeansNothingFromWhatIsNotThere) {
  EXPECT_EQ(code_of_selection({ErrorCode::kMalformed, 0, ""}), kExitUsage);
  EXPECT_EQ(code_of_selection({ErrorCode::kNotFound, 0, ""}), kExitBlind);
}

TEST(Resolve, RefusesWhatIsNoNamespace) {
  std::vector<select::Selector> selectors = {*select::parse_selector("netns:/dev/null")};
  EXPECT_FALSE(resolve(selectors));
  selectors = {*select::parse_selector("netns:/proc/self/ns/net")};
  ASSERT_TRUE(resolve(selectors));
  EXPECT_EQ(selectors[0].kind, select::Selector::Kind::kNetns);
  EXPECT_GT(selectors[0].number, 0U);
}

}  // namespace
}  // namespace acceptq::cli
