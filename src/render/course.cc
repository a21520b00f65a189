#include "render/course.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/text.h"
#include "render/names.h"
#include "render/timeline.h"

namespace acceptq::render {
namespace {

using facts::CoursePart;

struct Kind {
  std::uint64_t CoursePart::* count;
  const char* one;
  const char* many;
};
// What failed; attempts are no failure.
constexpr Kind kKinds[] = {
    {&CoursePart::refused, "packet refused", "packets refused"},
    {&CoursePart::unanswered, "SYN without an answer", "SYNs without an answer"},
    {&CoursePart::unheard, "SYN-ACK repeated though the ACK had come",
     "SYN-ACKs repeated though the ACK had come"},
    {&CoursePart::resets, "reset by the server", "resets by the server"},
    {&CoursePart::slow, "handshake that took 1 s or more, by its beginning",
     "handshakes that took 1 s or more, by their beginning"}};

constexpr double kNsPerSecond = 1e9;

CourseLine line_of(const facts::HandshakeCourse& course, const Kind& kind, std::size_t parts) {
  CourseLine line{.what = kind.many, .counts = std::vector<std::uint32_t>(parts)};
  std::uint64_t sum = 0;
  for (const CoursePart& part : course.parts) {
    const std::uint64_t count = part.*kind.count;
    sum += count;
    if (part.index < parts) {
      line.counts[part.index] = static_cast<std::uint32_t>(
          std::min<std::uint64_t>(count, std::numeric_limits<std::uint32_t>::max()));
    }
  }
  line.summary = counted(sum, kind.one, kind.many);
  const auto is_some = [](std::uint32_t count) { return count > 0; };
  const auto first = std::ranges::find_if(line.counts, is_some);
  const auto last = std::find_if(line.counts.rbegin(), line.counts.rend(), is_some).base();
  if (first == line.counts.end()) return line;
  const auto seconds = [&](auto place) {
    return static_cast<double>(place - line.counts.begin()) * static_cast<double>(course.part_ns) /
           kNsPerSecond;
  };
  line.summary +=
      fmt::format(", {:.1f} s to {:.1f} s after the beginning", seconds(first), seconds(last));
  if (last - first > 1) {
    const auto most = std::ranges::max_element(line.counts);
    line.summary += fmt::format("; most from {:.1f} s on: {}", seconds(most), *most);
  }
  return line;
}

}  // namespace

std::optional<CourseView> course_view(const facts::HandshakeCourse& course, std::size_t most) {
  facts::HandshakeCourse parts = course;
  const auto wanted = [&parts] {
    const double all = static_cast<double>(parts.end_ns) - static_cast<double>(parts.begin_ns);
    const std::size_t last = parts.parts.empty() ? 0 : parts.parts.back().index + 1;
    const double each = static_cast<double>(parts.part_ns);
    // What comes long after the last packet is not drawn part by part.
    const double whole = std::clamp(all / each, 0.0, 1e6);
    return std::max<std::size_t>(last, static_cast<std::size_t>(whole) + 1);
  };
  while (wanted() > std::max<std::size_t>(most, 1)) facts::coarsen(parts);
  const std::size_t count = wanted();
  constexpr std::size_t kFewest = 4;
  if (count < kFewest) return std::nullopt;
  CourseView view{.title = "Over time",
                  .part_s = static_cast<double>(parts.part_ns) / kNsPerSecond};
  const CoursePart all = facts::total(parts);
  for (const Kind& kind : kKinds) {
    if (all.*kind.count > 0) view.lines.push_back(line_of(parts, kind, count));
  }
  if (view.lines.empty()) return std::nullopt;
  const double seconds =
      (static_cast<double>(parts.end_ns) - static_cast<double>(parts.begin_ns)) / kNsPerSecond;
  view.span = fmt::format(
      "{:.1f} s{} in parts of {:.1f} s", seconds,
      parts.realtime_ns ? " from " + utc_time(*parts.realtime_ns) + " on," : std::string(),
      view.part_s);
  return view;
}

std::optional<CourseView> course_view(const diagnose::AcceptCourse& course) {
  constexpr double kPercent = 100;
  if (course.lines.empty()) return std::nullopt;
  CourseView view{.title = "Where the threads that accept were",
                  .from_s = std::max(course.from_s, 0.0),
                  .part_s = course.part_s};
  const std::size_t parts = course.lines.front().shares.size();
  for (std::size_t i = 0; i < parts; ++i) {
    if (!course.lines.front().shares[i]) view.unseen.push_back(i);
  }
  for (const diagnose::AcceptCourse::Line& of : course.lines) {
    CourseLine line{.what = of.words + ", in per cent",
                    .top = static_cast<std::uint32_t>(kPercent)};
    for (const std::optional<double>& share : of.shares) {
      line.counts.push_back(static_cast<std::uint32_t>(std::lround(share.value_or(0) * kPercent)));
    }
    line.summary = fmt::format("{}: {:.0f} %", of.words, of.share * kPercent);
    view.lines.push_back(std::move(line));
  }
  view.span = fmt::format("{:.1f} s from {:.1f} s on, in parts of {:.1f} s, by looks",
                          static_cast<double>(parts) * course.part_s, view.from_s, course.part_s);
  return view;
}

std::vector<std::string> course_lines(const TermStyle& style, const CourseView& view) {
  std::vector<std::string> lines{view.span};
  for (const CourseLine& line : view.lines) {
    const std::uint32_t most = line.top > 0 ? line.top : *std::ranges::max_element(line.counts);
    std::string signs;
    for (std::size_t i = 0; i < line.counts.size(); ++i) {
      const bool is_seen = std::ranges::find(view.unseen, i) == view.unseen.end();
      signs += is_seen ? sparkline(style, {line.counts[i]}, most) : " ";
    }
    lines.push_back(signs + " " + line.summary);
  }
  return lines;
}

std::vector<std::string> course_lines(const TermStyle& style,
                                      const facts::HandshakeCourse& course) {
  constexpr std::size_t kMost = 32;
  const auto view = course_view(course, kMost);
  return view ? course_lines(style, *view) : std::vector<std::string>();
}

}  // namespace acceptq::render
