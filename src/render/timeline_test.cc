#include "render/timeline.h"

#include <gtest/gtest.h>

namespace acceptq::render {
namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr TermStyle kUnicode{};
constexpr TermStyle kAscii{.unicode = false};

TEST(Sparkline, KeepsItsEndsForEmptyAndFull) {
  EXPECT_EQ(sparkline(kUnicode, {0, 1, 64, 128, 129, 200}, 129), "▁▂▄▇██");
  EXPECT_EQ(sparkline(kAscii, {0, 1, 129}, 129), "_.#");
  EXPECT_EQ(sparkline(kAscii, {0, 1}, 0), "_#");
}

TEST(Timeline, ShowsWhatWasBeforeAndAfter) {
  facts::Observation observation;
  facts::Listener listener;
  listener.port = 80;
  listener.limit = QueueLimit(3);
  EXPECT_EQ(timeline_text(kAscii, observation, listener), "");
  observation.incident = facts::Incident{.at_ns = 500 * kMs};
  EXPECT_EQ(timeline_text(kAscii, observation, listener), "");
  auto& points = observation.timeline[facts::listener_key(listener)];
  for (int i = 0; i < 4; ++i) {
    points.push_back({.at_ns = std::int64_t{i} * 250 * kMs, .length = QueueLength(i < 2 ? 0 : 4)});
  }
  EXPECT_EQ(timeline_text(kAscii, observation, listener),
            "__## from 0.5 s before the overflow to 0.2 s after");
  // Many looks in a short time, few in a long one.
  for (int i = 0; i < 50; ++i) {
    points.push_back({.at_ns = (std::int64_t{5000} + i) * kMs, .length = QueueLength(0)});
  }
  EXPECT_EQ(
      timeline_text(kAscii, observation, listener),
      "___####################################_ from 0.5 s before the overflow to 4.5 s after");
}

}  // namespace
}  // namespace acceptq::render
