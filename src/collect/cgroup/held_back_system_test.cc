// Real control groups: one that is frozen, and one that holds a busy process back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "base/file.h"
#include "collect/cgroup/held_back.h"
#include "support/cgroup.h"
#include "support/child.h"

namespace acceptq::collect::cgroup {
namespace {

using test::ControlGroup;
using test::Forked;

// The groups that this test runs in.
std::vector<GroupsUp> own_groups(std::string_view controller) {
  const auto memberships = parse_cgroup(read_file("/proc/self/cgroup").value_or(""));
  const auto mountinfo = read_file("/proc/self/mountinfo");
  if (!memberships || !mountinfo) return {};
  return groups_up(*memberships, parse_hierarchies(*mountinfo), controller);
}

void rest() { std::this_thread::sleep_for(std::chrono::milliseconds(300)); }

class Frozen : public testing::TestWithParam<int> {};

TEST_P(Frozen, NamesTheGroupAboveThatWasAsked) {
  const int version = GetParam();
  const HeldBack held_back("/proc");
  for (const GroupsUp& own : own_groups("freezer")) {
    if (own.version != version) continue;
    const Forked child([] {
      while (true) ::pause();
    });
    const ControlGroup outer(own.groups.front().folder);
    if (!outer.made()) GTEST_SKIP() << "no group can be made in " << own.groups.front().folder;
    const ControlGroup inner(outer.dir());
    ASSERT_TRUE(inner.made());
    ASSERT_TRUE(inner.take(child.pid()));
    EXPECT_FALSE(held_back.frozen_group(Pid(child.pid())));
    const bool asked =
        version == 1 ? outer.set("freezer.state", "FROZEN") : outer.set("cgroup.freeze", "1");
    if (!asked) GTEST_SKIP() << "this kernel freezes no group of version " << version;
    const auto path = held_back.frozen_group(Pid(child.pid()));
    ASSERT_TRUE(path);
    EXPECT_THAT(*path, testing::EndsWith("/" + outer.name()));
    EXPECT_TRUE(
        outer.set(version == 1 ? "freezer.state" : "cgroup.freeze", version == 1 ? "THAWED" : "0"));
    EXPECT_FALSE(held_back.frozen_group(Pid(child.pid())));
    return;
  }
  GTEST_SKIP() << "no hierarchy of version " << version << " with a freezer is mounted";
}

INSTANTIATE_TEST_SUITE_P(Versions, Frozen, testing::Values(1, 2));

bool limit(const ControlGroup& group, int version) {
  return version == 2 ? group.set("cpu.max", "10000 100000")
                      : group.set("cpu.cfs_quota_us", "10000");
}

TEST(CpuGroups, OfAProcessThatIsHeldBack) {
  const HeldBack held_back("/proc");
  for (const GroupsUp& own : own_groups("cpu")) {
    const Forked child([] {
      while (true) continue;
    });
    const ControlGroup outer(own.groups.front().folder);
    if (!outer.made() || !limit(outer, own.version)) continue;
    const ControlGroup inner(outer.dir());
    ASSERT_TRUE(inner.made());
    ASSERT_TRUE(inner.take(child.pid()));
    const std::vector<CpuGroupReading> earlier = held_back.cpu_groups(Pid(child.pid()));
    std::vector<facts::CpuGroup> groups;
    // On a busy machine it takes a while until it has used up what it may.
    constexpr int kMostRests = 100;
    for (int i = 0; i < kMostRests; ++i) {
      rest();
      groups = cpu_groups_between(earlier, held_back.cpu_groups(Pid(child.pid())));
      if (!groups.empty() && groups.front().throttled_ns.value_or(0) > 10'000'000U) break;
    }
    ASSERT_FALSE(groups.empty());
    const facts::CpuGroup& group = groups.front();
    EXPECT_THAT(group.path, testing::EndsWith("/" + outer.name()));
    EXPECT_EQ(static_cast<int>(group.version), own.version);
    EXPECT_EQ(group.quota_us, 10'000U);
    EXPECT_EQ(group.period_us, 100'000U);
    EXPECT_GE(group.throttled.value_or(0), 1U);
    EXPECT_GE(group.periods.value_or(0), group.throttled.value_or(0));
    EXPECT_GT(group.throttled_ns.value_or(0), 10'000'000U);
    return;
  }
  GTEST_SKIP() << "no group with a limit of CPU time can be made here";
}

}  // namespace
}  // namespace acceptq::collect::cgroup
