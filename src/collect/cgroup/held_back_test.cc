#include "collect/cgroup/held_back.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace acceptq::collect::cgroup {
namespace {

constexpr Pid kPid{42};

// A host as its files show it.
class HeldBackTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = std::filesystem::temp_directory_path() /
            ("acceptq-held-back-" + std::to_string(::getpid()));
    std::filesystem::create_directories(root_);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = root_ / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  void mount(const std::string& what, const std::string& root, const std::string& type,
             const std::string& options) {
    mountinfo_ += "33 31 0:30 " + root + " " + (root_ / what).string() + " rw - " + type + " " +
                  type + " " + options + "\n";
    write("proc/self/mountinfo", mountinfo_);
  }
  [[nodiscard]] HeldBack held_back() const { return HeldBack((root_ / "proc").string()); }

 private:
  std::filesystem::path root_;
  std::string mountinfo_;
};

TEST_F(HeldBackTest, FindsQuotasOfAGroupAndThoseAboveIt) {
  mount("v2", "/", "cgroup2", "rw");
  write("proc/42/cgroup", "0::/pods/pod1/app\n");
  write("v2/pods/pod1/app/cpu.max", "max 100000\n");
  write("v2/pods/pod1/cpu.max", "5000 100000\n");
  write("v2/pods/pod1/cpu.stat", "nr_periods 20\nnr_throttled 19\nthrottled_usec 1750000\n");
  write("v2/pods/cpu.max", "200000 100000\n");
  write("v2/pods/cpu.stat", "nr_periods 9\nnr_throttled 0\nthrottled_usec 0\n");
  const auto groups = held_back().cpu_groups(kPid);
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(groups[0].path, "/pods/pod1");
  EXPECT_EQ(groups[0].quota.quota_us, 5000U);
  EXPECT_EQ(groups[0].stat.throttled, 19U);
  EXPECT_EQ(groups[1].path, "/pods");
  EXPECT_TRUE(held_back().cpu_groups(Pid(43)).empty());
}

TEST_F(HeldBackTest, ReadsVersionOneBesideTwo) {
  mount("cpu", "/", "cgroup", "rw,cpu,cpuacct");
  mount("unified", "/", "cgroup2", "rw");
  write("proc/42/cgroup", "4:cpu,cpuacct:/app\n3:freezer:/\n0::/\n");
  write("cpu/app/cpu.cfs_quota_us", "10000\n");
  write("cpu/app/cpu.cfs_period_us", "100000\n");
  write("cpu/app/cpu.stat", "nr_periods 5\nnr_throttled 4\nthrottled_time 300000000\n");
  write("cpu/cpu.cfs_quota_us", "-1\n");
  write("cpu/cpu.cfs_period_us", "100000\n");
  const auto groups = held_back().cpu_groups(kPid);
  ASSERT_EQ(groups.size(), 1U);
  EXPECT_EQ(groups[0].version, 1);
  EXPECT_EQ(groups[0].stat.throttled_ns, 300'000'000U);
}

// In a container only a part of the hierarchy is mounted.
TEST_F(HeldBackTest, KnowsNothingOfGroupsThatItCannotSee) {
  mount("v2", "/docker/abc", "cgroup2", "rw");
  write("v2/cpu.max", "5000 100000\n");
  write("v2/cpu.stat", "nr_periods 1\nnr_throttled 1\nthrottled_usec 1\n");
  write("proc/42/cgroup", "0::/docker/abc/app\n");
  write("proc/43/cgroup", "0::/docker/other\n");
  write("proc/44/cgroup", "0::/../other\n");
  EXPECT_EQ(held_back().cpu_groups(kPid).size(), 1U);
  EXPECT_TRUE(held_back().cpu_groups(Pid(43)).empty());
  EXPECT_TRUE(held_back().cpu_groups(Pid(44)).empty());
}

TEST_F(HeldBackTest, NamesTheGroupThatWasFrozen) {
  mount("v2", "/", "cgroup2", "rw");
  write("proc/42/cgroup", "0::/pods/pod1/app\n");
  write("v2/pods/pod1/app/cgroup.events", "populated 1\nfrozen 0\n");
  EXPECT_EQ(held_back().frozen_group(kPid), std::nullopt);
  write("v2/pods/pod1/app/cgroup.events", "populated 1\nfrozen 1\n");
  write("v2/pods/pod1/app/cgroup.freeze", "0\n");
  write("v2/pods/pod1/cgroup.freeze", "1\n");
  EXPECT_EQ(held_back().frozen_group(kPid), "/pods/pod1");
  mount("freezer", "/", "cgroup", "rw,freezer");
  write("proc/43/cgroup", "6:freezer:/app\n0::/\n");
  write("freezer/app/freezer.state", "FREEZING\n");
  write("freezer/app/freezer.self_freezing", "1\n");
  EXPECT_EQ(held_back().frozen_group(Pid(43)), "/app");
}

TEST(CpuGroupsBetween, GroupsThatWereReplacedHaveNoCounts) {
  const CpuGroupReading before{
      .path = "/a", .quota = {5000, 100'000}, .stat = {.periods = 10, .throttled = 9}};
  CpuGroupReading after = before;
  after.stat = {.periods = 30, .throttled = 28, .throttled_ns = 7};
  const auto groups = cpu_groups_between({before}, {after});
  EXPECT_EQ(groups[0].periods, 20U);
  EXPECT_EQ(groups[0].throttled, 19U);
  EXPECT_EQ(groups[0].throttled_ns, 7U);
  EXPECT_EQ(cpu_groups_between({after}, {before})[0].throttled, std::nullopt);
  EXPECT_EQ(cpu_groups_between({}, {after})[0].throttled, std::nullopt);
}

}  // namespace
}  // namespace acceptq::collect::cgroup
