// When handshakes failed, or were slow: one line of counts for each kind, over the time that
// packets were seen.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "facts/course.h"
#include "render/term.h"

namespace acceptq::render {

struct CourseLine {
  std::string what;                   // "SYNs without an answer"
  std::vector<std::uint32_t> counts;  // of each part of the time
  std::string summary;  // "35 SYNs without an answer, from 0.0 s to 7.4 s; most at 2.0 s (7)"
};

struct CourseView {
  double part_s = 0;
  std::string span;  // "8.7 s from 2026-11-23T06:00:00Z on, in parts of 0.2 s"
  std::vector<CourseLine> lines;
};

// In at most so many parts. Empty where nothing failed or was slow, or where the time is too short
// to have a course.
[[nodiscard]] std::optional<CourseView> course_view(const facts::HandshakeCourse& course,
                                                    std::size_t most);

// A line of signs for each, with what it is about; the first says of which time.
[[nodiscard]] std::vector<std::string> course_lines(const TermStyle& style,
                                                    const facts::HandshakeCourse& course);

}  // namespace acceptq::render
