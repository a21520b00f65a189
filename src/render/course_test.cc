#include "render/course.h"

#include <gtest/gtest.h>

#include "render/html_course.h"

namespace acceptq::render {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr TermStyle kPlain{.color = false, .unicode = true, .width = 80};

facts::HandshakeCourse course() {
  facts::HandshakeCourse course{.begin_ns = 0, .end_ns = 8 * kSecond};
  for (const int second : {1, 2, 2, 4}) {
    facts::add_to_course(second * kSecond, &facts::CoursePart::unanswered, course);
  }
  facts::add_to_course(kSecond, &facts::CoursePart::slow, course);
  return course;
}

TEST(CourseLines, SayHowManyWhenAndWhenMost) {
  const std::vector<std::string> lines = course_lines(kPlain, course());
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0], "8.0 s in parts of 0.4 s");
  EXPECT_EQ(lines[1],
            "▁▁▅▁▁█▁▁▁▁▅▁▁▁▁▁▁▁▁▁▁ 4 SYNs without an answer, 0.8 s to 4.4 s after the "
            "beginning; most from 2.0 s on: 2");
  EXPECT_EQ(lines[2],
            "▁▁█▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁ 1 handshake that took 1 s or more, by its beginning, 0.8 s to "
            "1.2 s after the beginning");
}

TEST(CourseLines, SayTheTimeOfDayWhereItIsKnown) {
  facts::HandshakeCourse dated = course();
  dated.realtime_ns = 1'700'000'000 * kSecond;
  EXPECT_EQ(course_lines(kPlain, dated)[0],
            "8.0 s from 2023-11-14T22:13:20Z on, in parts of 0.4 s");
}

TEST(CourseView, IsOfNothingWhereNothingFailedOrNoTimePassed) {
  facts::HandshakeCourse healthy{.end_ns = 8 * kSecond};
  facts::add_to_course(0, &facts::CoursePart::attempts, healthy);
  EXPECT_FALSE(course_view(healthy, 40));
  facts::HandshakeCourse instant;
  facts::add_to_course(0, &facts::CoursePart::unanswered, instant);
  EXPECT_FALSE(course_view(instant, 40));
}

TEST(CourseView, HasAsManyPartsAsAreWantedAndLosesNothing) {
  for (const std::size_t most : {1U, 8U, 64U}) {
    facts::HandshakeCourse long_one = course();
    long_one.end_ns = 1000 * kSecond;
    const auto view = course_view(long_one, most);
    if (most < 4) {
      EXPECT_FALSE(view);
      continue;
    }
    ASSERT_TRUE(view) << most;
    EXPECT_LE(view->lines[0].counts.size(), most);
    std::uint64_t sum = 0;
    for (const std::uint32_t count : view->lines[0].counts) sum += count;
    EXPECT_EQ(sum, 4U);
  }
}

TEST(HtmlCourse, IsAsHighAsTheMost) {
  const std::string picture =
      html_course({.what = "x", .counts = {0, 2, 1, 0}, .summary = "<3"}, "p1");
  EXPECT_NE(picture.find("d=\"M0 60.0V60.0H150.0V0.0H300.0V30.0H450.0V60.0H600.0V60.0Z\""),
            std::string::npos);
  EXPECT_NE(picture.find("<title id=\"p1\">&lt;3</title>"), std::string::npos);
  EXPECT_EQ(html_course({}, "p2").find("nan"), std::string::npos);
}

TEST(AcceptCourseView, ShowsSharesByTime) {
  const diagnose::AcceptCourse course{.from_s = 0.5,
                                      .part_s = 0.1,
                                      .lines = {{.what = "nfs",
                                                 .words = "waiting for NFS",
                                                 .share = 0.6,
                                                 .shares = {0.0, 1.0, std::nullopt, 0.8}}}};
  const auto view = course_view(course);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->unseen, std::vector<std::size_t>{2});
  EXPECT_EQ(view->lines[0].counts, (std::vector<std::uint32_t>{0, 100, 0, 80}));
  const std::vector<std::string> lines = course_lines(kPlain, *view);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0], "0.4 s from 0.5 s on, in parts of 0.1 s, by looks");
  EXPECT_EQ(lines[1], "▁█ ▆ waiting for NFS: 60 %");
  // A fifth is drawn as a fifth, whatever the highest is.
  EXPECT_NE(html_course(view->lines[0], "a").find("V12.0"), std::string::npos);
}

}  // namespace
}  // namespace acceptq::render
