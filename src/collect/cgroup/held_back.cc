#include "collect/cgroup/held_back.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/file.h"
#include "base/text.h"
#include "evidence/mount_line.h"

namespace acceptq::collect::cgroup {
namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 20;

std::optional<std::string> read(const std::string& folder, const char* name) {
  Result<std::string> text = read_file(folder + "/" + name, kMostBytes);
  if (!text) return std::nullopt;
  return std::move(*text);
}

std::optional<evidence::CpuQuota> read_quota(const std::string& folder, int version) {
  if (version == 2) {
    const auto max = read(folder, "cpu.max");
    return max ? evidence::parse_cpu_max(*max) : std::nullopt;
  }
  const auto quota = read(folder, "cpu.cfs_quota_us");
  const auto period = read(folder, "cpu.cfs_period_us");
  if (!quota || !period) return std::nullopt;
  return evidence::parse_cfs_quota(*quota, *period);
}

bool has_line(const std::optional<std::string>& text, std::string_view wanted) {
  if (!text) return false;
  for (std::string_view rest = *text; !rest.empty();) {
    if (trim(next_line(rest)) == wanted) return true;
  }
  return false;
}

// Of a group or one above it: it does not run.
bool is_frozen(const std::string& folder, int version) {
  if (version == 2) return has_line(read(folder, "cgroup.events"), "frozen 1");
  const auto state = read(folder, "freezer.state");
  return has_line(state, "FROZEN") || has_line(state, "FREEZING");
}

// It was this one that somebody asked to freeze.
bool is_asked_to_freeze(const std::string& folder, int version) {
  return has_line(read(folder, version == 2 ? "cgroup.freeze" : "freezer.self_freezing"), "1");
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
    hierarchies.push_back(std::move(hierarchy));
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
    const auto before = std::ranges::find(earlier, now.path, &CpuGroupReading::path);
    if (before == earlier.end() || before->stat.periods > now.stat.periods ||
        before->stat.throttled > now.stat.throttled ||
        before->stat.throttled_ns > now.stat.throttled_ns) {
      continue;
    }
    group.periods = now.stat.periods - before->stat.periods;
    group.throttled = now.stat.throttled - before->stat.throttled;
    group.throttled_ns = now.stat.throttled_ns - before->stat.throttled_ns;
  }
  return groups;
}

HeldBack::HeldBack(std::string proc_root) : proc_root_(std::move(proc_root)) {
  constexpr std::size_t kMostMounts = std::size_t{64} << 20;
  const Result<std::string> mounts = read_file(proc_root_ + "/self/mountinfo", kMostMounts);
  if (mounts) hierarchies_ = parse_hierarchies(*mounts);
}

std::vector<Membership> HeldBack::memberships(Pid pid) const {
  const auto text = read(proc_root_ + "/" + std::to_string(pid.value()), "cgroup");
  if (!text) return {};
  Result<std::vector<Membership>> parsed = parse_cgroup(*text);
  return parsed ? std::move(*parsed) : std::vector<Membership>{};
}

std::vector<HeldBack::Group> HeldBack::groups(const std::vector<Membership>& memberships,
                                              std::string_view controller, int version) const {
  const auto has = [&](const std::vector<std::string>& controllers) {
    return version == 2 ? controllers.empty()
                        : std::ranges::find(controllers, controller) != controllers.end();
  };
  const auto member = std::ranges::find_if(memberships, [&](const Membership& each) {
    return (each.hierarchy == 0) == (version == 2) && has(each.controllers);
  });
  if (member == memberships.end()) return {};
  for (const Hierarchy& hierarchy : hierarchies_) {
    if (hierarchy.version != version || !has(hierarchy.controllers)) continue;
    const std::string root = hierarchy.root == "/" ? "" : hierarchy.root;
    // "/../x" lies outside of what this process sees.
    if (!member->path.starts_with(root + "/") || member->path.starts_with("/..")) continue;
    std::vector<Group> groups;
    std::string path = member->path == "/" ? "" : member->path;
    while (path.size() >= root.size()) {
      groups.push_back({.path = path.empty() ? "/" : path,
                        .folder = hierarchy.point + path.substr(root.size())});
      if (path.empty()) break;
      path.erase(path.rfind('/'));
    }
    return groups;
  }
  return {};
}

std::vector<CpuGroupReading> HeldBack::cpu_groups(Pid pid) const {
  std::vector<CpuGroupReading> readings;
  const std::vector<Membership> members = memberships(pid);
  for (const int version : {1, 2}) {
    for (const Group& group : groups(members, "cpu", version)) {
      const auto quota = read_quota(group.folder, version);
      const auto text = quota ? read(group.folder, "cpu.stat") : std::nullopt;
      const auto stat = text ? evidence::parse_cpu_stat(*text) : std::nullopt;
      if (!stat) continue;
      readings.push_back({.path = group.path, .version = version, .quota = *quota, .stat = *stat});
    }
  }
  return readings;
}

std::optional<std::string> HeldBack::frozen_group(Pid pid) const {
  const std::vector<Membership> members = memberships(pid);
  for (const int version : {1, 2}) {
    const std::vector<Group> all = groups(members, "freezer", version);
    if (all.empty() || !is_frozen(all.front().folder, version)) continue;
    const auto outermost = std::find_if(all.rbegin(), all.rend(), [&](const Group& group) {
      return is_asked_to_freeze(group.folder, version);
    });
    return outermost != all.rend() ? outermost->path : all.front().path;
  }
  return std::nullopt;
}

}  // namespace acceptq::collect::cgroup
