#include "collect/cgroup/held_back.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/file.h"
#include "base/text.h"
#include "evidence/mount_line.h"

namespace acceptq::collect::cgroup {
namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 20;

// Empty where it cannot be read: a root has no cpu.max, nor has a group whose controller is off.
std::string read(const std::string& folder, const char* name) {
  return read_file(folder + "/" + name, kMostBytes).value_or(std::string());
}

std::optional<std::uint64_t> inode_of(const std::string& folder) {
  struct stat status{};
  if (::stat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return std::nullopt;
  return status.st_ino;
}

std::optional<evidence::CpuQuota> read_quota(const std::string& folder, int version) {
  if (version == 2) return evidence::parse_cpu_max(read(folder, "cpu.max"));
  return evidence::parse_cfs_quota(read(folder, "cpu.cfs_quota_us"),
                                   read(folder, "cpu.cfs_period_us"));
}

Freezing read_freezing(const std::string& folder, int version) {
  if (version == 2) {
    return parse_v2_freezing(read(folder, "cgroup.freeze"), read(folder, "cgroup.events"));
  }
  return parse_v1_freezing(read(folder, "freezer.state"), read(folder, "freezer.self_freezing"));
}

bool has_line(std::string_view text, std::string_view wanted) {
  while (!text.empty()) {
    if (trim(next_line(text)) == wanted) return true;
  }
  return false;
}

// Absolute, and without a step that no group is called: ".." leaves the reader's cgroup namespace.
bool is_plain(std::string_view path) {
  if (!path.starts_with('/')) return false;
  if (path == "/") return true;
  return std::ranges::none_of(split(path.substr(1), '/'), [](std::string_view name) {
    return name.empty() || name == "." || name == "..";
  });
}

// What remains of `path` below `root`, "" for the root itself; nothing outside of it.
std::optional<std::string_view> below(std::string_view path, std::string_view root) {
  if (root == "/") return path == "/" ? "" : path;
  if (!path.starts_with(root)) return std::nullopt;
  const std::string_view rest = path.substr(root.size());
  if (!rest.empty() && rest.front() != '/') return std::nullopt;
  return rest;
}

std::vector<GroupsUp::Group> upwards(const Hierarchy& hierarchy, std::string_view rest) {
  const std::string root = hierarchy.root == "/" ? "" : hierarchy.root;
  std::vector<GroupsUp::Group> groups;
  while (true) {
    const std::string path = root + std::string(rest);
    groups.push_back(
        {.path = path.empty() ? "/" : path, .folder = hierarchy.point + std::string(rest)});
    if (rest.empty()) return groups;
    rest = rest.substr(0, rest.rfind('/'));
  }
}

bool is_same(const auto& a, const auto& b) {
  return a.path == b.path && a.version == b.version && a.inode == b.inode;
}

bool went_back(const evidence::CpuStat& from, const evidence::CpuStat& to) {
  return to.periods < from.periods || to.throttled < from.throttled ||
         to.throttled_ns < from.throttled_ns;
}

std::optional<std::uint64_t> more(std::optional<std::uint64_t> from,
                                  std::optional<std::uint64_t> to) {
  if (!from || !to || *to < *from) return std::nullopt;
  return *to - *from;
}

MemoryGroupReading read_memory(const GroupsUp::Group& group, int version) {
  MemoryGroupReading reading{.path = group.path, .version = version};
  if (version == 1) {
    reading.max_bytes = evidence::parse_memory_limit(read(group.folder, "memory.limit_in_bytes"));
    reading.at_max = parse_int<std::uint64_t>(trim(read(group.folder, "memory.failcnt")));
    return reading;
  }
  reading.high_bytes = evidence::parse_memory_limit(read(group.folder, "memory.high"));
  reading.max_bytes = evidence::parse_memory_limit(read(group.folder, "memory.max"));
  // memory.events has those of the groups below, too.
  if (const auto events =
          evidence::parse_memory_events(read(group.folder, "memory.events.local"))) {
    reading.above_high = events->high;
    reading.at_max = events->max;
  }
  reading.stalled_us = evidence::parse_stalled_us(read(group.folder, "memory.pressure"));
  return reading;
}

std::optional<std::string> frozen_of(const GroupsUp& up) {
  std::optional<std::string> asked;
  std::optional<std::string> frozen;
  for (const GroupsUp::Group& group : up.groups) {  // so the outermost comes last
    const Freezing freezing = read_freezing(group.folder, up.version);
    if (freezing.asked) asked = group.path;
    if (freezing.frozen) frozen = group.path;
  }
  return asked ? asked : frozen;
}

}  // namespace

std::vector<Hierarchy> parse_hierarchies(std::string_view mountinfo) {
  std::vector<Hierarchy> hierarchies;
  while (!mountinfo.empty()) {
    const auto mount = evidence::parse_mount_line(next_line(mountinfo));
    if (!mount || (mount->type != "cgroup" && mount->type != "cgroup2")) continue;
    Hierarchy hierarchy{.version = mount->type == "cgroup2" ? 2 : 1,
                        .root = decode_octal_escapes(mount->root),
                        .point = decode_octal_escapes(mount->point)};
    if (hierarchy.version == 1) {
      for (const std::string_view option : split(mount->options, ',')) {
        hierarchy.controllers.emplace_back(option);
      }
    }
    if (is_plain(hierarchy.root)) hierarchies.push_back(std::move(hierarchy));
  }
  return hierarchies;
}

std::vector<facts::CpuGroup> cpu_groups_between(const std::vector<CpuGroupReading>& earlier,
                                                const std::vector<CpuGroupReading>& later) {
  std::vector<facts::CpuGroup> groups;
  for (const CpuGroupReading& now : later) {
    facts::CpuGroup& group = groups.emplace_back();
    group.path = now.path;
    group.version = static_cast<std::uint32_t>(now.version);
    group.quota_us = now.quota.quota_us;
    group.period_us = now.quota.period_us;
    const auto before = std::ranges::find_if(
        earlier, [&](const CpuGroupReading& reading) { return is_same(reading, now); });
    if (before == earlier.end() || went_back(before->stat, now.stat)) continue;
    group.periods = now.stat.periods - before->stat.periods;
    group.throttled = now.stat.throttled - before->stat.throttled;
    group.throttled_ns = now.stat.throttled_ns - before->stat.throttled_ns;
  }
  return groups;
}

std::vector<facts::MemoryGroup> memory_groups_between(
    const std::vector<MemoryGroupReading>& earlier, const std::vector<MemoryGroupReading>& later) {
  std::vector<facts::MemoryGroup> groups;
  for (const MemoryGroupReading& now : later) {
    facts::MemoryGroup& group = groups.emplace_back();
    group.path = now.path;
    group.version = static_cast<std::uint32_t>(now.version);
    group.high_bytes = now.high_bytes;
    group.max_bytes = now.max_bytes;
    const auto before = std::ranges::find_if(
        earlier, [&](const MemoryGroupReading& reading) { return is_same(reading, now); });
    if (before == earlier.end()) continue;
    group.above_high = more(before->above_high, now.above_high);
    group.at_max = more(before->at_max, now.at_max);
    group.stalled_us = more(before->stalled_us, now.stalled_us);
  }
  return groups;
}

std::vector<GroupsUp> groups_up(const std::vector<Membership>& memberships,
                                const std::vector<Hierarchy>& hierarchies,
                                std::string_view controller) {
  std::vector<GroupsUp> all;
  for (const Membership& member : memberships) {
    const int version = member.hierarchy == 0 ? 2 : 1;
    const auto has = [&](const std::vector<std::string>& controllers) {
      return version == 2 || std::ranges::find(controllers, controller) != controllers.end();
    };
    if (!has(member.controllers) || !is_plain(member.path)) continue;
    // Of several mounts of one hierarchy, the one that shows most of what is above the group; the
    // later, where one covers the other.
    GroupsUp most{.version = version};
    for (const Hierarchy& hierarchy : hierarchies) {
      if (hierarchy.version != version || !has(hierarchy.controllers)) continue;
      const auto rest = below(member.path, hierarchy.root);
      if (!rest) continue;
      std::vector<GroupsUp::Group> groups = upwards(hierarchy, *rest);
      if (groups.size() >= most.groups.size()) most.groups = std::move(groups);
    }
    if (!most.groups.empty()) all.push_back(std::move(most));
  }
  return all;
}

Freezing parse_v1_freezing(std::string_view state, std::string_view self_freezing) {
  const std::string_view word = trim(state);
  const std::string_view self = trim(self_freezing);
  const bool frozen = word == "FROZEN" || word == "FREEZING";
  return {.asked = frozen && (self.empty() || self == "1"), .frozen = frozen};
}

Freezing parse_v2_freezing(std::string_view freeze, std::string_view events) {
  return {.asked = trim(freeze) == "1", .frozen = has_line(events, "frozen 1")};
}

HeldBack::HeldBack(std::string proc_root) : proc_root_(std::move(proc_root)) {
  constexpr std::size_t kMostMounts = std::size_t{64} << 20;
  const Result<std::string> mounts = read_file(proc_root_ + "/self/mountinfo", kMostMounts);
  if (mounts) hierarchies_ = parse_hierarchies(*mounts);
}

std::vector<GroupsUp> HeldBack::groups(Pid pid, std::string_view controller) const {
  const auto members = parse_cgroup(read(proc_root_ + "/" + std::to_string(pid.value()), "cgroup"));
  if (!members) return {};
  std::vector<GroupsUp> all = groups_up(*members, hierarchies_, controller);
  // Not so where another file system covers the mount, or the group has been removed: what is found
  // above it then may be anybody's.
  std::erase_if(all, [](const GroupsUp& up) { return !inode_of(up.groups.front().folder); });
  return all;
}

std::vector<CpuGroupReading> HeldBack::cpu_groups(Pid pid) const {
  std::vector<CpuGroupReading> readings;
  for (const GroupsUp& up : groups(pid, "cpu")) {
    for (const GroupsUp::Group& group : up.groups) {
      const auto quota = read_quota(group.folder, up.version);
      if (!quota) continue;
      const auto stat = evidence::parse_cpu_stat(read(group.folder, "cpu.stat"));
      const auto inode = inode_of(group.folder);
      if (!stat || !inode) continue;
      readings.push_back({.path = group.path,
                          .version = up.version,
                          .inode = *inode,
                          .quota = *quota,
                          .stat = *stat});
    }
  }
  return readings;
}

bool HeldBack::sees_cpu_groups(Pid pid) const {
  const auto members = parse_cgroup(read(proc_root_ + "/" + std::to_string(pid.value()), "cgroup"));
  if (!members || members->empty()) return false;  // it has ended
  // The controller is in one hierarchy only: in that of version 2 where no other has it.
  const bool by_version_1 = std::ranges::any_of(*members, [](const Membership& member) {
    return std::ranges::find(member.controllers, "cpu") != member.controllers.end();
  });
  const bool by_version_2 =
      std::ranges::any_of(*members, [](const Membership& member) { return member.hierarchy == 0; });
  if (!by_version_1 && !by_version_2) return true;
  const int version = by_version_1 ? 1 : 2;
  return std::ranges::any_of(groups(pid, "cpu"),
                             [&](const GroupsUp& up) { return up.version == version; });
}

std::vector<MemoryGroupReading> HeldBack::memory_groups(Pid pid) const {
  std::vector<MemoryGroupReading> readings;
  for (const GroupsUp& up : groups(pid, "memory")) {
    for (const GroupsUp::Group& group : up.groups) {
      MemoryGroupReading reading = read_memory(group, up.version);
      const auto inode = inode_of(group.folder);
      if (!inode || (!reading.high_bytes && !reading.max_bytes)) continue;
      reading.inode = *inode;
      readings.push_back(std::move(reading));
    }
  }
  return readings;
}

std::optional<std::string> HeldBack::frozen_group(Pid pid) const {
  for (const GroupsUp& up : groups(pid, "freezer")) {
    if (std::optional<std::string> frozen = frozen_of(up)) return frozen;
  }
  return std::nullopt;
}

}  // namespace acceptq::collect::cgroup
