#include "render/html.h"

#include <gtest/gtest.h>

#include "render/html_flow.h"
#include "render/html_timeline.h"

namespace acceptq::render {
namespace {

using enum facts::LedgerTerm;

TEST(HtmlEscaped, IsReadAsItWas) {
  EXPECT_EQ(html_escaped("<a href=\"x\">&amp;"), "&lt;a href=&quot;x&quot;&gt;&amp;amp;");
  EXPECT_EQ(html_escaped("a\nb\x1b\xff"), "a\\x0ab\\x1b\\xff");
  EXPECT_EQ(html_element("p", "</p>"), "<p>&lt;/p&gt;</p>");
  EXPECT_EQ(html_lines("a\n\t</pre>"), "a\n\t&lt;/pre&gt;\n");
}

TEST(FlowSteps, LoseWhatTheLedgerCounts) {
  facts::Ledger ledger;
  ledger.set(kSynReceived, 10);
  ledger.set(kSynRefusedAcceptFull, 4);
  ledger.set(kSynQueued, 5);
  ledger.set(kSynCookie, 1);
  ledger.set(kAckRefusedFull, 2);
  ledger.set(kRequestExpired, 1);
  ledger.set(kAckQueued, 3);
  ledger.set(kAccepted, 2);
  const std::vector<FlowStep> steps = flow_steps(ledger);
  ASSERT_EQ(steps.size(), 4U);
  EXPECT_EQ(steps[0].count, 10U);
  ASSERT_EQ(steps[0].losses.size(), 1U);
  EXPECT_EQ(steps[0].losses[0].count, 4U);
  EXPECT_EQ(steps[0].losses[0].what, "SYNs refused: accept queue full");
  EXPECT_EQ(steps[1].count, 6U);
  ASSERT_EQ(steps[1].losses.size(), 2U);
  EXPECT_EQ(steps[1].losses[0].what, "final ACKs refused: accept queue full");
  EXPECT_EQ(steps[1].losses[1].what, "requests expired");
  EXPECT_EQ(steps[2].count, 3U);
  EXPECT_EQ(steps[3].count, 2U);
}

// Tracepoints do not tell how many SYNs were answered.
TEST(FlowSteps, WhatIsNotCountedIsNotNothing) {
  facts::Ledger ledger;
  ledger.set(kSynReceived, 10);
  ledger.set(kAckQueued, 3);
  ledger.set(kAccepted, 0);
  const std::vector<FlowStep> steps = flow_steps(ledger);
  EXPECT_FALSE(steps[1].count);
  EXPECT_EQ(steps[3].count, 0U);
  EXPECT_NE(html_flow(ledger, "p1").find(">?</text>"), std::string::npos);
}

TEST(HtmlFlow, DrawsNothingOfNothing) {
  const std::string picture = html_flow({}, "p1");
  EXPECT_EQ(picture.find("class=\"stream\""), std::string::npos);
  EXPECT_EQ(picture.find("nan"), std::string::npos);
  EXPECT_NE(picture.find("Packets, from SYN to accept(): not known how many SYNs received"),
            std::string::npos);
}

TEST(HtmlTimeline, ReachesFromTheFirstLookToTheLast) {
  const QueueCourse course{
      .before_s = 1, .after_s = 1, .longest = {0, 129}, .limit = QueueLimit(128)};
  const std::string picture = html_timeline(course, "p1");
  EXPECT_NE(picture.find("d=\"M0 160.0V160.0H300.0V8.0H600.0V160.0Z\""), std::string::npos);
  EXPECT_NE(picture.find("class=\"refusal\" d=\"M300.0 0V160\""), std::string::npos);
  EXPECT_EQ(timeline_sentence(course),
            "The accept queue from 1.0 s before the overflow to 1.0 s after: 129 at the longest, "
            "limit 128.");
  // A limit of 0 and no time at all divide by nothing.
  const std::string flat = html_timeline({.longest = {0}, .limit = QueueLimit(0)}, "p2");
  EXPECT_EQ(flat.find("nan"), std::string::npos);
}

}  // namespace
}  // namespace acceptq::render
