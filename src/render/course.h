// What happened when: handshakes that failed or were slow, over the time that packets were seen;
// and where the threads that accept were. One line of numbers for each kind.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "diagnose/report.h"
#include "facts/course.h"
#include "render/term.h"

namespace acceptq::render {

struct CourseLine {
  std::string what;                   // "SYNs without an answer"
  std::vector<std::uint32_t> counts;  // of each part of the time
  std::uint32_t top = 0;              // what a whole bar means; 0: the highest count does
  std::string summary;  // "35 SYNs without an answer, from 0.0 s to 7.4 s; most at 2.0 s (7)"
};

struct CourseView {
  std::string title;  // "Over time"
  double from_s = 0;  // where the first part begins
  double part_s = 0;
  std::vector<std::size_t> unseen;  // parts of which nothing is known
  std::string span;                 // "8.7 s from 2026-11-23T06:00:00Z on, in parts of 0.2 s"
  std::vector<CourseLine> lines;
};

// In at most so many parts. Empty where nothing failed or was slow, or where the time is too short
// to have a course.
[[nodiscard]] std::optional<CourseView> course_view(const facts::HandshakeCourse& course,
                                                    std::size_t most);

// In per cent. Empty where no class of waits has a share that is worth showing.
[[nodiscard]] std::optional<CourseView> course_view(const diagnose::AcceptCourse& course);

// A line of signs for each, with what it is about; the first says of which time.
[[nodiscard]] std::vector<std::string> course_lines(const TermStyle& style, const CourseView& view);
// The same, of a line's length.
[[nodiscard]] std::vector<std::string> course_lines(const TermStyle& style,
                                                    const facts::HandshakeCourse& course);

}  // namespace acceptq::render
