#include "facts/course.h"

#include <gtest/gtest.h>

#include <limits>

namespace acceptq::facts {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

TEST(HandshakeCourse, HasPartsOfEqualLengthThatHoldAllOfTheTime) {
  HandshakeCourse course{.begin_ns = 5 * kSecond};
  add_to_course(5 * kSecond, &CoursePart::attempts, course);
  add_to_course(5 * kSecond + kSecond / 4, &CoursePart::unanswered, course);
  ASSERT_EQ(course.parts.size(), 2U);
  EXPECT_EQ(course.parts[1], (CoursePart{.index = 2, .unanswered = 1}));
  // 64 parts of 0.1 s end before that.
  add_to_course(12 * kSecond, &CoursePart::slow, course);
  EXPECT_EQ(course.part_ns, kSecond / 5);
  ASSERT_EQ(course.parts.size(), 3U);
  EXPECT_EQ(course.parts[0], (CoursePart{.index = 0, .attempts = 1}));
  EXPECT_EQ(course.parts[1], (CoursePart{.index = 1, .unanswered = 1}));
  EXPECT_EQ(course.parts[2], (CoursePart{.index = 35, .slow = 1}));
  EXPECT_EQ(total(course), (CoursePart{.attempts = 1, .unanswered = 1, .slow = 1}));
}

TEST(HandshakeCourse, TakesTimesOfAnyKind) {
  HandshakeCourse course{.begin_ns = std::numeric_limits<std::int64_t>::min()};
  add_to_course(std::numeric_limits<std::int64_t>::max(), &CoursePart::resets, course);
  EXPECT_LT(course.parts.at(0).index, kMostCourseParts);
  HandshakeCourse later{.begin_ns = 5};
  add_to_course(1, &CoursePart::resets, later);
  EXPECT_EQ(later.parts.at(0).index, 0U) << "out of order";
}

TEST(HandshakeCourse, OfTwoServersIsOneOfTheLongerParts) {
  HandshakeCourse shorter{.end_ns = kSecond};
  add_to_course(kSecond / 2, &CoursePart::unheard, shorter);
  HandshakeCourse longer{.end_ns = 100 * kSecond};
  add_to_course(100 * kSecond, &CoursePart::unheard, longer);
  HandshakeCourse both = shorter;
  merge(longer, both);
  HandshakeCourse other_way = longer;
  merge(shorter, other_way);
  EXPECT_EQ(both, other_way);
  EXPECT_EQ(both.end_ns, 100 * kSecond);
  EXPECT_EQ(total(both).unheard, 2U);
}

}  // namespace
}  // namespace acceptq::facts
