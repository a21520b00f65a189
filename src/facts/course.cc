#include "facts/course.h"

#include <algorithm>
#include <utility>

namespace acceptq::facts {
namespace {

void add(const CoursePart& more, CoursePart& part) {
  part.attempts += more.attempts;
  part.refused += more.refused;
  part.unanswered += more.unanswered;
  part.unheard += more.unheard;
  part.resets += more.resets;
  part.slow += more.slow;
}

CoursePart& part_at(std::uint32_t index, HandshakeCourse& course) {
  const auto at = std::ranges::lower_bound(course.parts, index, {}, &CoursePart::index);
  if (at != course.parts.end() && at->index == index) return *at;
  return *course.parts.insert(at, CoursePart{.index = index});
}

}  // namespace

void add_to_course(std::int64_t at_ns, std::uint64_t CoursePart::* what, HandshakeCourse& course,
                   std::uint64_t count) {
  // Without a sign: the times of a capture are whatever its writer says.
  const std::uint64_t since =
      at_ns > course.begin_ns
          ? static_cast<std::uint64_t>(at_ns) - static_cast<std::uint64_t>(course.begin_ns)
          : 0;
  const auto index = [&] { return since / static_cast<std::uint64_t>(course.part_ns); };
  while (index() >= kMostCourseParts) coarsen(course);
  part_at(static_cast<std::uint32_t>(index()), course).*what += count;
}

void coarsen(HandshakeCourse& course) {
  course.part_ns *= 2;
  std::vector<CoursePart> parts;
  for (CoursePart& part : course.parts) {
    part.index /= 2;
    if (!parts.empty() && parts.back().index == part.index) {
      add(part, parts.back());
    } else {
      parts.push_back(part);
    }
  }
  course.parts = std::move(parts);
}

void merge(HandshakeCourse others, HandshakeCourse& course) {
  while (others.part_ns < course.part_ns) coarsen(others);
  while (course.part_ns < others.part_ns) coarsen(course);
  for (const CoursePart& part : others.parts) add(part, part_at(part.index, course));
  course.end_ns = std::max(course.end_ns, others.end_ns);
}

CoursePart total(const HandshakeCourse& course) {
  CoursePart all;
  for (const CoursePart& part : course.parts) add(part, all);
  return all;
}

}  // namespace acceptq::facts
