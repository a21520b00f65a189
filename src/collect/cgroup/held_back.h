// What the control groups of a process hold it back with: limits of CPU time and memory, and the
// freezer.
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
#include "evidence/memory_limits.h"
#include "facts/threads.h"

namespace acceptq::collect::cgroup {

// Where one hierarchy of control groups is mounted.
struct Hierarchy {
  int version = 2;
  std::vector<std::string> controllers;  // of version 1: "cpu", "freezer"
  std::string root;                      // the group that is shown at the mount point
  std::string point;
};

// Those of the text of /proc/self/mountinfo, but for what is shown only in part of another cgroup
// namespace ("/.."). Pure.
[[nodiscard]] std::vector<Hierarchy> parse_hierarchies(std::string_view mountinfo);

// A group with a quota, and what was counted for it since it was made.
struct CpuGroupReading {
  std::string path;
  int version = 2;
  std::uint64_t inode = 0;  // of its folder: another, where the group was made again
  evidence::CpuQuota quota;
  evidence::CpuStat stat;
};

// `earlier` beside `later` of the same process: empty counts for a group that is new, or was
// replaced. Pure.
[[nodiscard]] std::vector<facts::CpuGroup> cpu_groups_between(
    const std::vector<CpuGroupReading>& earlier, const std::vector<CpuGroupReading>& later);

// Likewise a group with a limit of memory. Version 1 counts only how often it was at its limit.
struct MemoryGroupReading {
  std::string path;
  int version = 2;
  std::uint64_t inode = 0;
  std::optional<std::uint64_t> high_bytes;
  std::optional<std::uint64_t> max_bytes;
  std::optional<std::uint64_t> above_high;
  std::optional<std::uint64_t> at_max;
  std::optional<std::uint64_t> stalled_us;
};
[[nodiscard]] std::vector<facts::MemoryGroup> memory_groups_between(
    const std::vector<MemoryGroupReading>& earlier, const std::vector<MemoryGroupReading>& later);

// A group, and those above it up to the root of the mount.
struct GroupsUp {
  // Its path in the hierarchy, and its folder.
  struct Group {
    std::string path;
    std::string folder;

    friend bool operator==(const Group&, const Group&) = default;
  };
  int version = 2;
  std::vector<Group> groups;  // innermost first
};

// The groups of a process in the hierarchies of `controller`, of version 1 and of version 2, where
// they can be seen. Both texts, of /proc/PID/cgroup and of mountinfo, are written for their reader:
// paths begin at the root of its cgroup namespace (kernel/cgroup/cgroup.c, proc_cgroup_show and
// cgroup_show_path). Pure.
[[nodiscard]] std::vector<GroupsUp> groups_up(const std::vector<Membership>& memberships,
                                              const std::vector<Hierarchy>& hierarchies,
                                              std::string_view controller);

// What the files of a group say of its freezing.
struct Freezing {
  bool asked = false;   // somebody froze this group itself
  bool frozen = false;  // it is, by itself or by a group above it, or is about to be
};

// Of version 1's freezer.state and freezer.self_freezing (3.8: before, nothing was frozen from
// above, and there is no such file).
[[nodiscard]] Freezing parse_v1_freezing(std::string_view state, std::string_view self_freezing);
// Of version 2's cgroup.freeze and cgroup.events (5.2). "frozen 1" comes only when the last thread
// of the group has stopped: one that sleeps in D keeps it away, while all others stand still.
[[nodiscard]] Freezing parse_v2_freezing(std::string_view freeze, std::string_view events);

// Reads what is mounted once. A group outside of what this process sees (of a container that it
// runs in, or above its own) is not known.
class HeldBack {
 public:
  explicit HeldBack(std::string proc_root);

  // The process's group and those above it that have a quota, innermost first.
  [[nodiscard]] std::vector<CpuGroupReading> cpu_groups(Pid pid) const;
  // Whether these could be looked at: false where the process is in a group for CPU time that
  // cannot be seen from here.
  [[nodiscard]] bool sees_cpu_groups(Pid pid) const;
  // Likewise those that have a limit of memory.
  [[nodiscard]] std::vector<MemoryGroupReading> memory_groups(Pid pid) const;
  // The outermost of these that was asked to freeze. Where none that can be seen was, but one is
  // frozen, by a group above what can be seen: the outermost of these.
  [[nodiscard]] std::optional<std::string> frozen_group(Pid pid) const;

 private:
  [[nodiscard]] std::vector<GroupsUp> groups(Pid pid, std::string_view controller) const;

  std::string proc_root_;
  std::vector<Hierarchy> hierarchies_;
};

}  // namespace acceptq::collect::cgroup
