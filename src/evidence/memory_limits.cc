#include "evidence/memory_limits.h"

#include <vector>

#include "base/text.h"

namespace acceptq::evidence {

std::optional<std::uint64_t> parse_memory_limit(std::string_view text) {
  constexpr std::uint64_t kLargestPage = std::uint64_t{64} << 10;
  constexpr std::uint64_t kNoLimit = (~std::uint64_t{0} >> 1) - kLargestPage;
  const auto bytes = parse_int<std::uint64_t>(trim(text));
  return bytes && *bytes < kNoLimit ? bytes : std::nullopt;
}

std::optional<MemoryEvents> parse_memory_events(std::string_view text) {
  std::optional<std::uint64_t> high;
  std::optional<std::uint64_t> max;
  while (!text.empty()) {
    const std::vector<std::string_view> words = split_blank(next_line(text));
    if (words.size() != 2) continue;
    if (words[0] == "high") high = parse_int<std::uint64_t>(words[1]);
    if (words[0] == "max") max = parse_int<std::uint64_t>(words[1]);
  }
  if (!high || !max) return std::nullopt;
  return MemoryEvents{.high = *high, .max = *max};
}

// "some avg10=1.53 avg60=0.87 avg300=1.73 total=1088168194"
std::optional<std::uint64_t> parse_stalled_us(std::string_view text) {
  constexpr std::string_view kTotal = "total=";
  while (!text.empty()) {
    const std::vector<std::string_view> words = split_blank(next_line(text));
    if (words.empty() || words.front() != "some") continue;
    if (!words.back().starts_with(kTotal)) continue;
    return parse_int<std::uint64_t>(words.back().substr(kTotal.size()));
  }
  return std::nullopt;
}

}  // namespace acceptq::evidence
