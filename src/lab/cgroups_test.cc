#include "lab/cgroups.h"

#include <gtest/gtest.h>

namespace acceptq::lab {
namespace {

TEST(Hierarchies, OfEveryKindOfHost) {
  struct Case {
    const char* what;
    const char* mountinfo;
    std::vector<std::pair<std::string, bool>> found;
  };
  const Case cases[] = {
      {"v2",
       "30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
       {{"/sys/fs/cgroup", true}}},
      {"hybrid, v1 first whatever the order",
       "29 28 0:25 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
       "30 28 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n",
       {{"/sys/fs/cgroup/cpu,cpuacct", false}, {"/sys/fs/cgroup/unified", true}}},
      {"other controllers of v1",
       "30 28 0:26 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
       "31 28 0:27 / /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpuacct\n",
       {}},
      {"a mount point with a blank", "30 28 0:26 / /a\\040b rw - cgroup2 cgroup2 rw\n", {}},
      {"another file system of that source", "30 28 0:26 / /a rw - tmpfs cgroup2 rw,cpu\n", {}},
      {"cut short", "30 28 0:26 / /a rw - cgroup2", {}},
      {"a dash too early", "30 - cgroup2 cgroup2 rw\n", {}},
      {"nothing", "", {}},
  };
  for (const Case& c : cases) {
    std::vector<std::pair<std::string, bool>> found;
    for (const Hierarchy& hierarchy : parse_hierarchies(c.mountinfo, "cpu")) {
      found.emplace_back(hierarchy.mount, hierarchy.v2);
    }
    EXPECT_EQ(found, c.found) << c.what;
  }
}

TEST(Hierarchies, OfTheControllerAskedFor) {
  constexpr const char* kHybrid =
      "29 28 0:25 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
      "30 28 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
      "31 28 0:27 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer\n";
  const Hierarchy v2{.mount = "/sys/fs/cgroup/unified", .v2 = true};
  EXPECT_EQ(parse_hierarchies(kHybrid, "freezer"),
            (std::vector<Hierarchy>{{.mount = "/sys/fs/cgroup/freezer"}, v2}));
  EXPECT_EQ(parse_hierarchies(kHybrid, "memory"), std::vector<Hierarchy>{v2});
}

TEST(CpuMax, IsWhatTheKernelTakes) {
  EXPECT_EQ(cpu_max(0.05), "5000 100000");
  EXPECT_EQ(cpu_max(2.5), "250000 100000");
  EXPECT_EQ(cpu_max(64), "6400000 100000");
  EXPECT_EQ(cpu_max(0.001), "1000 100000");
}

}  // namespace
}  // namespace acceptq::lab
