// What files of a control group say of its CPU quota. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace acceptq::evidence {

// Since the group was made.
struct CpuStat {
  std::uint64_t periods = 0;
  std::uint64_t throttled = 0;  // periods in which it was held back
  std::uint64_t throttled_ns = 0;

  friend bool operator==(const CpuStat&, const CpuStat&) = default;
};

struct CpuQuota {
  std::uint64_t quota_us = 0;
  std::uint64_t period_us = 0;

  friend bool operator==(const CpuQuota&, const CpuQuota&) = default;
};

// cpu.stat of version 2 (throttled_usec) or 1 (throttled_time, in ns); nothing where it does not
// say all three, as that of a group without the controller (kernel/sched/core.c).
[[nodiscard]] std::optional<CpuStat> parse_cpu_stat(std::string_view text);

// cpu.max of version 2: "50000 100000"; nothing for "max 100000", which is no limit.
[[nodiscard]] std::optional<CpuQuota> parse_cpu_max(std::string_view text);

// cpu.cfs_quota_us and cpu.cfs_period_us of version 1; nothing for a quota of -1.
[[nodiscard]] std::optional<CpuQuota> parse_cfs_quota(std::string_view quota,
                                                      std::string_view period);

}  // namespace acceptq::evidence
