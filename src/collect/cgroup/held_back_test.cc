#include "collect/cgroup/held_back.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/file_tree.h"

namespace acceptq::collect::cgroup {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Pid kPid{42};

std::string mount_of(const std::string& root, const std::string& point, const std::string& type,
                     const std::string& options) {
  return "31 1 0:33 " + root + " " + point + " rw - " + type + " " + type + " " + options + "\n";
}

// The folders of each hierarchy's groups.
std::vector<std::vector<GroupsUp::Group>> groups_of(const std::string& memberships,
                                                    const std::string& mountinfo) {
  std::vector<std::vector<GroupsUp::Group>> all;
  const auto parsed = parse_cgroup(memberships);
  if (!parsed) return all;
  for (GroupsUp& up : groups_up(*parsed, parse_hierarchies(mountinfo), "cpu")) {
    all.push_back(std::move(up.groups));
  }
  return all;
}

using Groups = std::vector<GroupsUp::Group>;

TEST(GroupsUp, GoUpToTheRootOfTheMount) {
  const std::string v2 = mount_of("/", "/cg", "cgroup2", "rw");
  EXPECT_THAT(groups_of("0::/a/b\n", v2),
              ElementsAre(Groups{{"/a/b", "/cg/a/b"}, {"/a", "/cg/a"}, {"/", "/cg"}}));
  EXPECT_THAT(groups_of("0::/\n", v2), ElementsAre(Groups{{"/", "/cg"}}));
  const std::string hybrid = mount_of("/", "/c/cpuset", "cgroup", "rw,cpuset") +
                             mount_of("/", "/c/cpu", "cgroup", "rw,cpu,cpuacct") +
                             mount_of("/", "/c/u\\040", "cgroup2", "rw");
  EXPECT_THAT(groups_of("5:cpuset:/s\n4:cpu,cpuacct:/x\n0::/\n", hybrid),
              ElementsAre(Groups{{"/x", "/c/cpu/x"}, {"/", "/c/cpu"}}, Groups{{"/", "/c/u "}}));
}

// As in a container without a cgroup namespace of its own.
TEST(GroupsUp, OfAMountThatShowsAPart) {
  const std::string part = mount_of("/docker/1", "/c/cpu", "cgroup", "rw,cpu");
  EXPECT_THAT(groups_of("4:cpu:/docker/1/x\n", part),
              ElementsAre(Groups{{"/docker/1/x", "/c/cpu/x"}, {"/docker/1", "/c/cpu"}}));
  EXPECT_THAT(groups_of("4:cpu:/docker/1\n", part), ElementsAre(Groups{{"/docker/1", "/c/cpu"}}));
  for (const char* outside : {"4:cpu:/docker/12\n", "4:cpu:/docker\n", "4:cpu:/\n"}) {
    EXPECT_THAT(groups_of(outside, part), IsEmpty()) << outside;
  }
  EXPECT_THAT(groups_of("4:cpu:/docker/1\n", part + mount_of("/", "/all", "cgroup", "rw,cpu")),
              ElementsAre(Groups{
                  {"/docker/1", "/all/docker/1"}, {"/docker", "/all/docker"}, {"/", "/all"}}));
}

TEST(GroupsUp, AreNotGuessed) {
  const std::string v2 = mount_of("/", "/cg", "cgroup2", "rw");
  for (const char* unknown : {"0::/../x\n", "0::/..\n", "0::/a/../b\n", "0::/a//b\n", "0::/a/\n",
                              "", "0:", "1:cpu:/a\n", "nonsense"}) {
    EXPECT_THAT(groups_of(unknown, v2), IsEmpty()) << unknown;
  }
  EXPECT_THAT(groups_of("0::/a\n", mount_of("/..", "/c", "cgroup2", "rw")), IsEmpty());
  EXPECT_THAT(groups_of("0::/a\n", "31 1 0:33 / /c rw - cgroup"), IsEmpty());
}

TEST(Freezing, TextThatSaysNothing) {
  for (const char* text : {"", "THAWED\n", "frozen\n", "FROZEN FROZEN\n"}) {
    EXPECT_FALSE(parse_v1_freezing(text, "1\n").frozen) << text;
    EXPECT_FALSE(parse_v1_freezing(text, "").asked) << text;
  }
  EXPECT_TRUE(parse_v1_freezing("FROZEN\n", "").asked) << "before 3.8";
  for (const char* text :
       {"", "frozen", "frozen x\n", "populated 1\n", "frozen 11\n", "xfrozen 1\n"}) {
    EXPECT_FALSE(parse_v2_freezing(text, text).frozen) << text;
    EXPECT_FALSE(parse_v2_freezing(text, text).asked) << text;
  }
}

// A host as its files show it.
class HeldBackTest : public testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) { tree_.write(path, text); }
  void mount(const std::string& what, const std::string& root, const std::string& type,
             const std::string& options) {
    mountinfo_ += "33 31 0:30 " + root + " " + tree_.path(what) + " rw - " + type + " " + type +
                  " " + options + "\n";
    write("proc/self/mountinfo", mountinfo_);
  }
  [[nodiscard]] HeldBack held_back() const { return HeldBack(tree_.path("proc")); }

 private:
  test::FileTree tree_;
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
  write("v2/app/cgroup.procs", "42\n");
  write("proc/42/cgroup", "0::/docker/abc/app\n");
  write("proc/45/cgroup", "0::/docker/abc\n");
  write("proc/43/cgroup", "0::/docker/other\n");
  write("proc/44/cgroup", "0::/../other\n");
  EXPECT_EQ(held_back().cpu_groups(kPid).size(), 1U);
  EXPECT_EQ(held_back().cpu_groups(Pid(45)).size(), 1U) << "the group at the mount itself";
  EXPECT_TRUE(held_back().cpu_groups(Pid(43)).empty());
  EXPECT_TRUE(held_back().cpu_groups(Pid(44)).empty());
}

TEST_F(HeldBackTest, SaysWhetherItCouldSeeGroupsForCpuTime) {
  write("proc/42/cgroup", "4:cpu,cpuacct:/app\n3:freezer:/\n0::/\n");
  write("proc/43/cgroup", "0::/pod\n");
  write("proc/44/cgroup", "3:freezer:/\n");
  EXPECT_FALSE(held_back().sees_cpu_groups(kPid)) << "nothing is mounted";
  EXPECT_TRUE(held_back().sees_cpu_groups(Pid(44))) << "there is no controller";
  EXPECT_FALSE(held_back().sees_cpu_groups(Pid(45))) << "the process has ended";
  mount("v2", "/", "cgroup2", "rw");
  write("v2/cgroup.procs", "");
  write("v2/pod/cgroup.procs", "43\n");
  EXPECT_TRUE(held_back().sees_cpu_groups(Pid(43)));
  EXPECT_FALSE(held_back().sees_cpu_groups(kPid)) << "version 1 has the controller";
  mount("cpu", "/", "cgroup", "rw,cpu,cpuacct");
  write("cpu/app/cpu.cfs_quota_us", "-1\n");
  EXPECT_TRUE(held_back().sees_cpu_groups(kPid));
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

// A thread that sleeps in D keeps "frozen 1" away.
TEST_F(HeldBackTest, NamesTheOutermostOfThoseAskedToFreeze) {
  mount("v2", "/", "cgroup2", "rw");
  write("proc/42/cgroup", "0::/pod/box/in\n");
  write("v2/pod/box/in/cgroup.freeze", "1\n");
  write("v2/pod/box/in/cgroup.events", "populated 1\nfrozen 0\n");
  write("v2/pod/box/cgroup.freeze", "1\n");
  write("v2/pod/box/cgroup.events", "populated 1\nfrozen 0\n");
  write("v2/pod/cgroup.freeze", "0\n");
  EXPECT_EQ(held_back().frozen_group(kPid), "/pod/box");
}

// Who asked cannot be seen from inside of a container.
TEST_F(HeldBackTest, NamesTheOutermostThatIsFrozenFromAbove) {
  mount("v2", "/", "cgroup2", "rw");
  write("proc/42/cgroup", "0::/box/in\n");
  for (const char* group : {"v2", "v2/box", "v2/box/in"}) {
    write(std::string(group) + "/cgroup.freeze", "0\n");
    write(std::string(group) + "/cgroup.events", "populated 1\nfrozen 1\n");
  }
  EXPECT_EQ(held_back().frozen_group(kPid), "/");
  write("v2/cgroup.events", "populated 1\nfrozen 0\n");
  EXPECT_EQ(held_back().frozen_group(kPid), "/box");
}

// What is at the mount point is not the hierarchy: the folder above may be anybody's.
TEST_F(HeldBackTest, KnowsNothingWhereTheGroupIsNotFound) {
  mount("v2", "/", "cgroup2", "rw");
  write("proc/42/cgroup", "0::/pod/gone\n");
  write("v2/pod/cpu.max", "50000 100000\n");
  write("v2/pod/cpu.stat", "nr_periods 1\nnr_throttled 1\nthrottled_usec 1\n");
  write("v2/pod/cgroup.freeze", "1\n");
  EXPECT_THAT(held_back().cpu_groups(kPid), IsEmpty());
  EXPECT_FALSE(held_back().frozen_group(kPid));
}

TEST(CpuGroupsBetween, AGroupThatWasMadeAgainIsAnother) {
  const CpuGroupReading before{
      .path = "/a", .inode = 1, .quota = {5000, 100'000}, .stat = {1, 1, 1}};
  CpuGroupReading after{.path = "/a", .inode = 2, .quota = {5000, 100'000}, .stat = {9, 9, 9}};
  EXPECT_EQ(cpu_groups_between({before}, {after})[0].throttled, std::nullopt);
  after.inode = 1;
  EXPECT_EQ(cpu_groups_between({before}, {after})[0].throttled, 8U);
  after.version = 1;
  EXPECT_EQ(cpu_groups_between({before}, {after})[0].throttled, std::nullopt);
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

TEST(MemoryGroupsBetween, CountWhatHappenedToTheSameGroup) {
  const MemoryGroupReading before{.path = "/a",
                                  .inode = 7,
                                  .high_bytes = 1 << 20,
                                  .above_high = 10,
                                  .at_max = 0,
                                  .stalled_us = 500};
  MemoryGroupReading after = before;
  after.above_high = 31;
  after.stalled_us = 400;  // switched off and on again
  const auto groups = memory_groups_between({before}, {after});
  ASSERT_EQ(groups.size(), 1U);
  EXPECT_EQ(groups[0].high_bytes, 1U << 20);
  EXPECT_EQ(groups[0].above_high, 21U);
  EXPECT_EQ(groups[0].at_max, 0U);
  EXPECT_FALSE(groups[0].stalled_us);
  after.inode = 8;  // made again
  EXPECT_FALSE(memory_groups_between({before}, {after})[0].above_high);
}

}  // namespace
}  // namespace acceptq::collect::cgroup
