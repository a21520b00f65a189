#include "render/timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace acceptq::render {
namespace {

constexpr double kNsPerSecond = 1e9;

}  // namespace

std::string sparkline(const TermStyle& style, const std::vector<std::uint32_t>& lengths,
                      std::uint64_t capacity) {
  constexpr const char* kBlocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  constexpr const char* kAscii[] = {"_", ".", ":", "-", "=", "+", "*", "#"};
  constexpr std::size_t kSteps = std::size(kBlocks);
  std::string text;
  for (const std::uint32_t length : lengths) {
    const std::uint64_t full = std::max<std::uint64_t>(capacity, 1);
    // The lowest sign is an empty queue's alone, the highest a full one's.
    const std::uint64_t step =
        length == 0 ? 0 : 1 + std::min<std::uint64_t>(length, full) * (kSteps - 2) / full;
    text += style.unicode ? kBlocks[step] : kAscii[step];
  }
  return text;
}

std::optional<QueueCourse> queue_course(const facts::Observation& observation,
                                        const facts::Listener& listener, std::size_t most) {
  const auto line = observation.timeline.find(facts::listener_key(listener));
  if (!observation.incident || !listener.limit || line == observation.timeline.end() ||
      line->second.empty()) {
    return std::nullopt;
  }
  const std::vector<facts::QueuePoint>& points = line->second;
  const std::int64_t begin = points.front().at_ns;
  const std::int64_t end = points.back().at_ns;
  const std::size_t width = std::min<std::size_t>(points.size(), most);
  std::vector<std::uint32_t> longest(width);
  std::size_t filled = 0;  // columns up to here; one without a look is like the one before
  std::uint32_t last = 0;
  for (const facts::QueuePoint& point : points) {
    const auto column =
        static_cast<std::size_t>(static_cast<double>(point.at_ns - begin) /
                                 static_cast<double>(end - begin + 1) * static_cast<double>(width));
    while (filled + 1 < column) longest[++filled] = last;
    filled = column;
    last = point.length.value();
    longest[column] = std::max(longest[column], last);
  }
  const std::int64_t at = observation.incident->at_ns;
  return QueueCourse{.before_s = static_cast<double>(at - begin) / kNsPerSecond,
                     .after_s = static_cast<double>(end - at) / kNsPerSecond,
                     .longest = std::move(longest),
                     .limit = *listener.limit};
}

std::string span_text(const QueueCourse& course) {
  return fmt::format("from {:.1f} s before the overflow to {:.1f} s after", course.before_s,
                     course.after_s);
}

std::string timeline_text(const TermStyle& style, const facts::Observation& observation,
                          const facts::Listener& listener) {
  constexpr std::size_t kMost = 40;
  const auto course = queue_course(observation, listener, kMost);
  if (!course) return "";
  return sparkline(style, course->longest, facts::accept_queue_capacity(course->limit)) + " " +
         span_text(*course);
}

}  // namespace acceptq::render
