#include "base/duration.h"

#include <charconv>
#include <utility>

namespace acceptq {

std::optional<double> parse_duration(std::string_view text) {
  constexpr std::pair<std::string_view, double> kUnits[] = {
      {"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}};
  for (const auto& [unit, factor] : kUnits) {
    if (!text.ends_with(unit)) continue;
    const std::string_view digits = text.substr(0, text.size() - unit.size());
    if (digits.empty() || digits.find_first_not_of("0123456789.") != std::string_view::npos) {
      continue;
    }
    double value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value,
                                              std::chars_format::fixed);
    if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    return value * factor;
  }
  return std::nullopt;
}

}  // namespace acceptq
