#include "render/html_timeline.h"

#include <fmt/format.h>

#include <algorithm>

#include "facts/listener.h"
#include "render/html.h"

namespace acceptq::render {
namespace {

// Of the picture's own coordinates.
constexpr double kWidth = 600;
constexpr double kHeight = 160;
constexpr double kHeadroom = 8;  // above the highest

std::uint32_t longest_of(const QueueCourse& course) {
  return course.longest.empty() ? 0 : *std::ranges::max_element(course.longest);
}

}  // namespace

std::string timeline_sentence(const QueueCourse& course) {
  return fmt::format("The accept queue {}: {} at the longest, limit {}.", span_text(course),
                     longest_of(course), course.limit.value());
}

std::string html_timeline(const QueueCourse& course, const std::string& id) {
  const double limit = course.limit.value();
  const double top = std::max<double>({limit, static_cast<double>(longest_of(course)), 1});
  const auto y_of = [top](double length) { return kHeight - length / top * (kHeight - kHeadroom); };
  const double step = kWidth / static_cast<double>(std::max<std::size_t>(course.longest.size(), 1));
  std::string area = fmt::format("M0 {:.1f}", kHeight);
  double x = 0;
  for (const std::uint32_t length : course.longest) {
    area += fmt::format("V{:.1f}H{:.1f}", y_of(length), x += step);
  }
  area += fmt::format("V{:.1f}Z", kHeight);
  const double all = course.before_s + course.after_s;
  const double overflow = all > 0 ? course.before_s / all * kWidth : 0;
  return fmt::format(
      "<svg class=\"course\" role=\"img\" aria-labelledby=\"{0}\" viewBox=\"0 0 {1} {2}\" "
      "preserveAspectRatio=\"none\">\n<title id=\"{0}\">{3}</title>\n"
      "<path class=\"queue\" d=\"{4}\"/>\n"
      "<path class=\"limit\" d=\"M0 {5:.1f}H{1}\"/>\n"
      "<path class=\"refusal\" d=\"M{6:.1f} 0V{2}\"/>\n</svg>\n",
      id, kWidth, kHeight, html_escaped(timeline_sentence(course)), area, y_of(limit), overflow);
}

}  // namespace acceptq::render
