#include "evidence/cpu_limits.h"

#include <gtest/gtest.h>

#include "evidence/mount_line.h"

namespace acceptq::evidence {
namespace {

TEST(CpuStat, OfBothVersions) {
  constexpr CpuStat kHeld{.periods = 20, .throttled = 19, .throttled_ns = 1'750'000'000};
  EXPECT_EQ(parse_cpu_stat("nr_periods 20\nnr_throttled 19\nthrottled_time 1750000000\n"), kHeld);
  EXPECT_EQ(parse_cpu_stat("usage_usec 3\nuser_usec 1\nsystem_usec 2\nnr_periods 20\n"
                           "nr_throttled 19\nthrottled_usec 1750000\nnr_bursts 0\n"),
            kHeld);
  // Of a group without the controller, or cut short.
  EXPECT_EQ(parse_cpu_stat("usage_usec 3\nuser_usec 1\nsystem_usec 2\n"), std::nullopt);
  EXPECT_EQ(parse_cpu_stat("nr_periods 20\nnr_throttled -1\nthrottled_time 1\n"), std::nullopt);
  EXPECT_EQ(parse_cpu_stat("nr_periods 1\nnr_throttled 1\nthrottled_usec 18446744073709551615\n"),
            std::nullopt);
  EXPECT_EQ(parse_cpu_stat(""), std::nullopt);
}

TEST(CpuQuota, OfBothVersions) {
  EXPECT_EQ(parse_cpu_max("5000 100000\n"), (CpuQuota{.quota_us = 5000, .period_us = 100'000}));
  EXPECT_EQ(parse_cpu_max("max 100000\n"), std::nullopt);
  EXPECT_EQ(parse_cpu_max("5000"), std::nullopt);
  EXPECT_EQ(parse_cfs_quota("5000\n", "100000\n"),
            (CpuQuota{.quota_us = 5000, .period_us = 100'000}));
  EXPECT_EQ(parse_cfs_quota("-1\n", "100000\n"), std::nullopt);
  EXPECT_EQ(parse_cfs_quota("5000", "0"), std::nullopt);
}

TEST(MountLine, HasWhatAMountIs) {
  const auto mount = parse_mount_line(
      "33 31 0:30 / /sys/fs/cgroup/cpu rw,relatime shared:5 master:1 - cgroup cgroup rw,cpu");
  ASSERT_TRUE(mount);
  EXPECT_EQ(mount->device, 30U);
  EXPECT_EQ(mount->point, "/sys/fs/cgroup/cpu");
  EXPECT_EQ(mount->type, "cgroup");
  EXPECT_EQ(mount->options, "rw,cpu");
  EXPECT_EQ(parse_mount_line("36 35 98:3 /a /b rw - ext4 /dev/sdb1 rw")->device,
            (std::uint64_t{98} << 20U) + 3);
  // A source of nothing (seen of some FUSE daemons) leaves a field out.
  EXPECT_EQ(parse_mount_line("36 35 0:3 / /b rw - fuse rw")->type, "fuse");
  for (const char* other :
       {"", "36 35 98:3 / /b rw", "36 35 98:3 / /b rw -", "x 35 98:3 / /b rw - a b",
        "36 35 98 / /b rw - a b", "36 35 98:9999999 / /b rw - a b"}) {
    EXPECT_FALSE(parse_mount_line(other)) << other;
  }
}

}  // namespace
}  // namespace acceptq::evidence
