#include "render/html_course.h"

#include <fmt/format.h>

#include <algorithm>

#include "render/html.h"

namespace acceptq::render {

std::string html_course(const CourseLine& line, const std::string& id) {
  // Of the picture's own coordinates.
  constexpr double kWidth = 600;
  constexpr double kHeight = 60;
  const double step = kWidth / static_cast<double>(std::max<std::size_t>(line.counts.size(), 1));
  const bool is_share = line.top > 0;
  double top = std::max<double>(line.top, 1);
  for (const std::uint32_t count : line.counts) top = std::max<double>(top, count);
  std::string area = fmt::format("M0 {:.1f}", kHeight);
  double x = 0;
  for (const std::uint32_t count : line.counts) {
    area += fmt::format("V{:.1f}H{:.1f}", kHeight - count / top * kHeight, x += step);
  }
  return fmt::format(
      "<svg class=\"course {5}\" role=\"img\" aria-labelledby=\"{0}\" viewBox=\"0 0 {1} "
      "{2}\" preserveAspectRatio=\"none\">\n<title id=\"{0}\">{3}</title>\n"
      "<path class=\"{6}\" d=\"{4}V{2:.1f}Z\"/>\n</svg>\n",
      id, kWidth, kHeight, html_escaped(line.summary), area, is_share ? "shares" : "failures",
      is_share ? "share" : "failed");
}

}  // namespace acceptq::render
