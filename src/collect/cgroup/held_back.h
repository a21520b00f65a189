// What the control groups of a process hold it back with: quotas of CPU time, and the freezer.
// Files of control groups are the kernel's own (kernfs): reading one never waits for storage.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "collect/cgroup/workload.h"
#include "evidence/cpu_limits.h"
#include "facts/threads.h"

namespace acceptq::collect::cgroup {

// Where one hierarchy of control groups is mounted.
struct Hierarchy {
  int version = 2;
  std::vector<std::string> controllers;  // of version 1: "cpu", "freezer"
  std::string root;                      // the group that is shown at the mount point
  std::string point;
};

// Those of the text of /proc/self/mountinfo. Pure.
[[nodiscard]] std::vector<Hierarchy> parse_hierarchies(std::string_view mountinfo);

// A group with a quota, and what was counted for it since it was made.
struct CpuGroupReading {
  std::string path;
  int version = 2;
  evidence::CpuQuota quota;
  evidence::CpuStat stat;
};

// `earlier` beside `later` of the same process: empty counts for a group that is new, or was
// replaced (its counts went back). Pure.
[[nodiscard]] std::vector<facts::CpuGroup> cpu_groups_between(
    const std::vector<CpuGroupReading>& earlier, const std::vector<CpuGroupReading>& later);

// Reads what is mounted once. A group outside of what this process sees (of a container that it
// runs in, or above its own) is not known.
class HeldBack {
 public:
  explicit HeldBack(std::string proc_root);

  // The process's group and those above it that have a quota, innermost first.
  [[nodiscard]] std::vector<CpuGroupReading> cpu_groups(Pid pid) const;
  // The outermost group of it that is frozen, or about to be.
  [[nodiscard]] std::optional<std::string> frozen_group(Pid pid) const;

 private:
  // A group: its path in the hierarchy, and its folder.
  struct Group {
    std::string path;
    std::string folder;
  };
  // The process's group in the hierarchy of `controller`, and those above it, innermost first.
  [[nodiscard]] std::vector<Group> groups(const std::vector<Membership>& memberships,
                                          std::string_view controller, int version) const;
  [[nodiscard]] std::vector<Membership> memberships(Pid pid) const;

  std::string proc_root_;
  std::vector<Hierarchy> hierarchies_;
};

}  // namespace acceptq::collect::cgroup
