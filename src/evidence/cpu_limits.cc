#include "evidence/cpu_limits.h"

#include <vector>

#include "base/text.h"

namespace acceptq::evidence {

std::optional<CpuStat> parse_cpu_stat(std::string_view text) {
  std::optional<std::uint64_t> periods;
  std::optional<std::uint64_t> throttled;
  std::optional<std::uint64_t> nanoseconds;
  while (!text.empty()) {
    const std::vector<std::string_view> words = split_blank(next_line(text));
    if (words.size() != 2) continue;
    const auto value = parse_int<std::uint64_t>(words[1]);
    constexpr std::uint64_t kNsPerUs = 1000;
    constexpr std::uint64_t kMostUs = ~std::uint64_t{0} / kNsPerUs;
    if (words[0] == "nr_periods") periods = value;
    if (words[0] == "nr_throttled") throttled = value;
    if (words[0] == "throttled_time") nanoseconds = value;
    if (words[0] == "throttled_usec" && value && *value <= kMostUs) nanoseconds = *value * kNsPerUs;
  }
  if (!periods || !throttled || !nanoseconds) return std::nullopt;
  return CpuStat{.periods = *periods, .throttled = *throttled, .throttled_ns = *nanoseconds};
}

std::optional<CpuQuota> parse_cpu_max(std::string_view text) {
  const std::vector<std::string_view> words = split_blank(text);
  if (words.size() != 2) return std::nullopt;
  return parse_cfs_quota(words[0], words[1]);
}

std::optional<CpuQuota> parse_cfs_quota(std::string_view quota, std::string_view period) {
  const auto quota_us = parse_int<std::uint64_t>(trim(quota));
  const auto period_us = parse_int<std::uint64_t>(trim(period));
  if (!quota_us || !period_us || *quota_us == 0 || *period_us == 0) return std::nullopt;
  return CpuQuota{.quota_us = *quota_us, .period_us = *period_us};
}

}  // namespace acceptq::evidence
