#include "diagnose/comparison.h"

#include <gtest/gtest.h>

namespace acceptq::diagnose {
namespace {

// A listener of a server in a pod, and what was seen of it in two seconds.
struct Case {
  facts::Observation observation;
  Report report;

  explicit Case(std::uint64_t refused, double accepts = 100, std::uint64_t cookie = 1) {
    observation.seconds = 2;
    facts::Listener listener;
    listener.netns = NetnsId(7);
    listener.port = 80;
    listener.cookie = SocketCookie(cookie);
    listener.limit = QueueLimit(128);
    listener.owners = {{.pid = Pid(12), .fd = 6}};
    observation.after.listeners = {listener};
    facts::Process owner{.pid = Pid(12), .comm = "nginx"};
    owner.pod = facts::Pod{.ns = "shop", .name = "web-6484d4b457-847gl"};
    observation.after.processes = {owner};
    ListenerReport told;
    told.key = facts::listener_key(listener);
    told.verdict = refused > 0 ? Verdict::kOverflowing : Verdict::kHealthy;
    told.refused.total = refused;
    told.refused.attempts = refused / 2;
    told.accepts_per_s = accepts;
    report.listeners = {told};
  }
  [[nodiscard]] Observed observed() const { return {observation, report}; }
};

Outcome outcome(const Case& before, const Case& now) {
  const Comparison comparison = compare(before.observed(), now.observed());
  EXPECT_EQ(comparison.listeners.size(), 1U);
  return comparison.listeners.at(0).outcome;
}

TEST(Compare, ByTheRateOfRefusals) {
  EXPECT_EQ(outcome(Case(400), Case(0, 300)), Outcome::kStopped);
  EXPECT_EQ(outcome(Case(400), Case(100)), Outcome::kFewer);
  EXPECT_EQ(outcome(Case(400), Case(300)), Outcome::kSame);
  EXPECT_EQ(outcome(Case(400), Case(900)), Outcome::kMore);
}

// Only the queue is longer.
TEST(Compare, WhoeverIsNotRefusedMayWaitLonger) {
  Case before(400);
  before.report.listeners[0].estimated_wait_ms = 918;
  Case now(0, 300);
  now.report.listeners[0].estimated_wait_ms = 5050;
  EXPECT_EQ(outcome(before, now), Outcome::kSlower);
  now.report.listeners[0].estimated_wait_ms = 1200;
  EXPECT_EQ(outcome(before, now), Outcome::kStopped);
  before.report.listeners[0].estimated_wait_ms = 10;
  now.report.listeners[0].estimated_wait_ms = 300;
  EXPECT_EQ(outcome(before, now), Outcome::kStopped);
}

// 100 accepted and 100 refused attempts a second came before.
TEST(Compare, NothingIsProvedWithoutLoadOrTime) {
  EXPECT_EQ(outcome(Case(400), Case(0, 100)), Outcome::kNoLoad);
  EXPECT_EQ(outcome(Case(400), Case(0, 150)), Outcome::kStopped);
  // Retries of before the watch made 56 a second of 30.
  EXPECT_EQ(outcome(Case(144, 12), Case(0, 29)), Outcome::kStopped);
  EXPECT_EQ(outcome(Case(144, 28), Case(0, 29)), Outcome::kNoLoad);
  EXPECT_EQ(outcome(Case(4), Case(0, 300)), Outcome::kTooShort);
  Case unknown(0);
  unknown.report.listeners[0].refused.total.reset();
  EXPECT_EQ(outcome(Case(400), unknown), Outcome::kUnknown);
}

TEST(Compare, ASlowListenerNeedNotRefuse) {
  Case slow(0);
  slow.report.listeners[0].verdict = Verdict::kSlow;
  slow.report.listeners[0].estimated_wait_ms = 2500;
  Case now(0);
  now.report.listeners[0].time_in_queue = TimeInQueue{.p50_ms = 12};
  const Comparison comparison = compare(slow.observed(), now.observed());
  ASSERT_EQ(comparison.listeners.size(), 1U);
  EXPECT_EQ(comparison.listeners[0].outcome, Outcome::kQuiet);
  EXPECT_EQ(comparison.listeners[0].before.wait_ms, 2500);
  EXPECT_EQ(comparison.listeners[0].now.wait_ms, 12);
}

TEST(Compare, FindsWhatListensInItsPlaceAfterARestart) {
  const Case before(400);
  Case now(0, 300, 2);
  now.observation.after.processes[0].pod->name = "web-7d9c5b9f4d-x7k2p";
  now.observation.after.listeners[0].netns = NetnsId(8);  // another pod, so another namespace
  EXPECT_EQ(outcome(before, now), Outcome::kStopped);
  now.observation.after.processes[0].pod->name = "api-7d9c5b9f4d-x7k2p";
  EXPECT_EQ(outcome(before, now), Outcome::kGone);

  Case two(0, 300, 2);
  two.observation.after.listeners.push_back(two.observation.after.listeners[0]);
  two.observation.after.listeners[1].cookie = SocketCookie(3);
  two.report.listeners.push_back(two.report.listeners[0]);
  two.report.listeners[1].key = facts::listener_key(two.observation.after.listeners[1]);
  EXPECT_EQ(outcome(before, two), Outcome::kAmbiguous);
}

TEST(Compare, LeavesOutWhatWasHealthy) {
  EXPECT_TRUE(compare(Case(0).observed(), Case(400).observed()).listeners.empty());
}

}  // namespace
}  // namespace acceptq::diagnose
