#include "diagnose/causes/accept_course.h"

#include <gtest/gtest.h>

#include "diagnose/causes/causes_test_support.h"
#include "diagnose/causes/wait_class.h"

namespace acceptq::diagnose {
namespace {

// Free in the first second, then at a file; in parts of half a second.
ThreadWatch that_comes_to_a_stop() {
  ThreadWatch stops = thread(3985, 3985, AcceptLink::kEpoll, in_fuse(), 0.6);
  stops.waits[0].when = {0, 0, 30, 30};
  stops.waits[1].when = {20, 20};
  return stops;
}

Observation over_time(std::vector<ThreadWatch> threads) {
  Observation observation = full(std::move(threads));
  observation.before.monotonic_ns = 100 * kSecond;
  auto& acceptors = observation.accept_evidence.acceptors.begin()->second;
  acceptors.parts =
      facts::LookParts{.begin_ns = 100 * kSecond + kSecond / 4, .part_ns = kSecond / 2};
  return observation;
}

std::optional<AcceptCourse> course_of(const Observation& observation) {
  return report_of(observation).listeners.at(0).accept_course;
}

using Shares = std::vector<std::optional<double>>;

TEST(AcceptCourse, TellsWhereThreadsWereInEachPart) {
  const auto course = course_of(over_time({that_comes_to_a_stop()}));
  ASSERT_TRUE(course);
  EXPECT_DOUBLE_EQ(course->from_s, 0.25);
  EXPECT_DOUBLE_EQ(course->part_s, 0.5);
  ASSERT_EQ(course->lines.size(), 2U);
  EXPECT_EQ(course->lines[0].what, "fuse");
  EXPECT_DOUBLE_EQ(course->lines[0].share, 0.6);
  EXPECT_EQ(course->lines[0].shares, (Shares{0, 0, 1, 1}));
  EXPECT_EQ(course->lines[1].what, "connections");
  EXPECT_EQ(course->lines[1].shares, (Shares{1, 1, 0, 0}));
}

TEST(AcceptCourse, IsOfAllThreadsThatAccept) {
  ThreadWatch second = that_comes_to_a_stop();
  second.pid = second.tid = Pid(3986);
  second.waits[0].when = {0, 0, 0, 60};
  Observation observation = over_time({that_comes_to_a_stop(), second});
  observation.after.processes.push_back({.pid = Pid(3986), .comm = "nginx"});
  const auto course = course_of(observation);
  ASSERT_TRUE(course);
  EXPECT_EQ(course->lines[0].shares, (Shares{0, 0, 1, 1}));
  EXPECT_DOUBLE_EQ(course->lines[0].share, 0.6);
}

TEST(AcceptCourse, IsNotKnownWhereNobodyLooked) {
  ThreadWatch with_a_gap = that_comes_to_a_stop();
  with_a_gap.waits[0].when = {0, 0, 0, 60};
  const auto course = course_of(over_time({with_a_gap}));
  ASSERT_TRUE(course);
  EXPECT_EQ(course->lines[0].shares, (Shares{0, 0, std::nullopt, 1}));
}

TEST(AcceptCourse, HasPartsAsLongAsLooksWereApart) {
  ThreadWatch seldom = that_comes_to_a_stop();
  seldom.waits[0].when = {0, 0, 0, 0, 0, 0, 30, 0, 30};
  seldom.waits[1].when = {20, 0, 0, 20};
  const auto course = course_of(over_time({seldom}));
  ASSERT_TRUE(course);
  EXPECT_DOUBLE_EQ(course->part_s, 1);
  EXPECT_EQ(course->lines[0].shares, (Shares{0, 0, std::nullopt, 1, 1}));
}

TEST(AcceptCourse, NeedsSeveralParts) {
  ThreadWatch brief = that_comes_to_a_stop();
  brief.waits[0].when = {30, 30};
  EXPECT_FALSE(course_of(over_time({brief})));
}

TEST(AcceptCourse, OfARecordingThatDoesNotTellWhenThereIsNone) {
  EXPECT_FALSE(course_of(full(thread(3985, 3985, AcceptLink::kEpoll, in_fuse(), 0.6))));
  Observation nonsense = over_time({that_comes_to_a_stop()});
  auto& acceptors = nonsense.accept_evidence.acceptors.begin()->second;
  acceptors.parts->part_ns = 0;
  EXPECT_FALSE(course_of(nonsense));
  // More parts than there can be.
  acceptors.parts->part_ns = kSecond;
  acceptors.threads[0].waits[0].when.assign(1000, 1);
  ASSERT_TRUE(course_of(nonsense));
  EXPECT_EQ(course_of(nonsense)->lines[0].shares.size(), facts::kMostLookParts);
}

TEST(WaitClasses, EachHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kWaitClasses; ++i) {
    names.insert(wait_class_name(static_cast<WaitClass>(i)));
    EXPECT_FALSE(wait_class_words(static_cast<WaitClass>(i)).empty());
  }
  EXPECT_EQ(names.size(), kWaitClasses);
}

}  // namespace
}  // namespace acceptq::diagnose
