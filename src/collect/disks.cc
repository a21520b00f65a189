#include "collect/disks.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <system_error>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "collect/attended.h"
#include "evidence/mount_line.h"

namespace acceptq::collect {
namespace {

constexpr std::size_t kMostBytes = std::size_t{16} << 20;
// Of all that there may be: disks, and mount points of one.
constexpr std::size_t kMostDisks = 32;
constexpr std::size_t kMostMountpoints = 16;

// File systems without a disk, as far as a thread that sleeps in D may wait for one of them.
bool is_elsewhere(std::string_view type) {
  return type.starts_with("fuse") || type.starts_with("nfs") || !facts::has_names(type);
}

// The last name of a path.
std::string_view last_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

std::optional<std::uint64_t> more(std::uint64_t from, std::uint64_t to) {
  return to >= from ? std::optional(to - from) : std::nullopt;  // it is another device
}

std::string read(const std::string& path) {
  return read_file(path, kMostBytes).value_or(std::string());
}

void add_mounts(const DiskFileSystem& file_system, facts::Disk& disk) {
  for (const std::string& point : file_system.mountpoints) {
    const facts::DiskMount mount{.device = file_system.device, .mountpoint = point};
    if (std::ranges::find(disk.mounts, mount) == disk.mounts.end()) disk.mounts.push_back(mount);
  }
}

void add_waits(const facts::ThreadWatch& thread, DiskWaits& waits) {
  for (const facts::Wait& wait : thread.waits) {
    if (wait.state != "D") continue;
    if (wait.target && is_elsewhere(wait.target->type)) continue;
    if (wait.target) waits.files.push_back(*wait.target);
    // A call that opens a file has no descriptor yet, and the file of an overlay does not say on
    // which disk it is.
    if (!wait.target || wait.target->type == "overlay") waits.unnamed = true;
  }
}

// Sorted; those before an error.
std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace

std::vector<DiskWaits> disk_waits(const std::map<std::string, facts::Acceptors>& acceptors) {
  std::map<Pid, DiskWaits> by_process;
  for (const auto& [key, of_listener] : acceptors) {
    for (const facts::ThreadWatch& thread : of_listener.threads) {
      add_waits(thread, by_process[thread.pid]);
    }
  }
  std::vector<DiskWaits> all;
  for (auto& [pid, waits] : by_process) {
    if (waits.files.empty() && !waits.unnamed) continue;
    waits.pid = pid;
    all.push_back(std::move(waits));
  }
  return all;
}

void count_between(const DiskReading& earlier, const DiskReading& later,
                   std::vector<facts::Disk>& wanted) {
  constexpr std::int64_t kNsPerMs = 1'000'000;
  const auto watched_ms = (later.at_ns - earlier.at_ns) / kNsPerMs;
  for (facts::Disk& disk : wanted) {
    const auto is_it = [&](const evidence::DiskStats& each) { return each.name == disk.name; };
    const auto now = std::ranges::find_if(later.disks, is_it);
    if (now == later.disks.end()) continue;
    disk.device = now->device;
    disk.in_flight = now->counts.in_flight;
    const auto before = std::ranges::find_if(earlier.disks, is_it);
    if (before == earlier.disks.end() || before->device != now->device || watched_ms <= 0) continue;
    const evidence::DiskCounts& from = before->counts;
    const evidence::DiskCounts& to = now->counts;
    disk.watched_ms = static_cast<std::uint64_t>(watched_ms);
    disk.reads = more(from.reads, to.reads);
    disk.read_ms = more(from.read_ms, to.read_ms);
    disk.writes = more(from.writes, to.writes);
    disk.write_ms = more(from.write_ms, to.write_ms);
    disk.busy_ms = more(from.busy_ms, to.busy_ms);
  }
  std::ranges::sort(wanted, {}, &facts::Disk::name);
}

std::optional<facts::HungTasks> hung_between(const DiskReading& earlier, const DiskReading& later) {
  if (!later.hung_tasks) return std::nullopt;
  facts::HungTasks tasks{.total = *later.hung_tasks, .more = std::nullopt};
  if (earlier.hung_tasks) tasks.more = more(*earlier.hung_tasks, *later.hung_tasks);
  return tasks;
}

std::vector<DiskFileSystem> disk_file_systems(std::string_view mountinfo, const DiskWaits& waits) {
  const auto holds_file = [&](std::uint64_t device, const std::string& point) {
    return std::ranges::any_of(waits.files, [&](const facts::FileTarget& file) {
      return file.device == device && file.path && facts::is_below_mountpoint(*file.path, point);
    });
  };
  std::map<std::uint64_t, DiskFileSystem> by_device;
  while (!mountinfo.empty()) {
    const auto mount = evidence::parse_mount_line(next_line(mountinfo));
    if (!mount) continue;
    const bool on_disk = mount->device >> 20 != 0 || mount->source.starts_with("/dev/");
    const bool wanted =
        waits.unnamed || std::ranges::any_of(waits.files, [&](const facts::FileTarget& file) {
          return file.device == mount->device;
        });
    if (!on_disk || !wanted || is_elsewhere(mount->type)) continue;
    DiskFileSystem& file_system = by_device[mount->device];
    file_system.device = mount->device;
    file_system.source = decode_octal_escapes(mount->source);
    file_system.mountpoints.push_back(decode_octal_escapes(mount->point));
  }
  std::vector<DiskFileSystem> all;
  for (auto& [device, file_system] : by_device) {
    auto& points = file_system.mountpoints;
    std::ranges::stable_sort(points, std::ranges::greater{}, [&](const std::string& point) {
      return holds_file(file_system.device, point);
    });
    points.resize(std::min(points.size(), kMostMountpoints));
    all.push_back(std::move(file_system));
  }
  return all;
}

DiskReading Disks::read() const {
  DiskReading reading{.at_ns = monotonic_ns()};
  reading.disks = evidence::parse_diskstats(collect::read(proc_root_ + "/diskstats"));
  reading.hung_tasks = parse_int<std::uint64_t>(
      trim(collect::read(proc_root_ + "/sys/kernel/hung_task_detect_count")));
  return reading;
}

// A file system's device number is its disk's, but for btrfs, which has one of its own and names
// the disk as whoever mounted it did.
std::optional<std::string> Disks::name_of(const DiskFileSystem& file_system) const {
  constexpr int kMinorBits = 20;
  constexpr std::uint64_t kMinorMask = (std::uint64_t{1} << kMinorBits) - 1;
  const auto link =
      read_link(fmt::format("{}/dev/block/{}:{}", sys_root_, file_system.device >> kMinorBits,
                            file_system.device & kMinorMask));
  if (link) return std::string(last_name(*link));
  if (!file_system.source.starts_with("/dev/")) return std::nullopt;
  std::string name(last_name(file_system.source));
  if (read_link(sys_root_ + "/class/block/" + name)) return name;
  const std::string folder = sys_root_ + "/class/block";
  for (std::string& entry : names_in(folder)) {
    if (trim(collect::read(fmt::format("{}/{}/dm/name", folder, entry))) == name) {
      return std::move(entry);
    }
  }
  return std::nullopt;
}

facts::Disk Disks::look_at(const std::string& name) const {
  const std::string folder = sys_root_ + "/class/block/" + name;
  facts::Disk disk{.name = name};
  const std::string text = collect::read(folder + "/dm/name");
  if (const std::string_view mapper = trim(text); !mapper.empty()) disk.mapper = mapper;
  disk.beneath = names_in(folder + "/slaves");
  // A partition is a folder in that of its disk: "../../devices/…/block/vda/vda1".
  if (!collect::read(folder + "/partition").empty()) {
    if (const auto link = read_link(folder)) {
      const std::string_view path = *link;
      const std::size_t end = path.rfind('/');
      if (end != std::string_view::npos) disk.beneath.emplace_back(last_name(path.substr(0, end)));
    }
  }
  return disk;
}

std::vector<facts::Disk> Disks::below(const std::vector<DiskWaits>& waits) const {
  std::map<std::string, facts::Disk> disks;
  std::vector<std::string> to_look_at;
  const auto want = [&](const std::string& name) {
    if (disks.size() >= kMostDisks || !disks.try_emplace(name).second) return;
    disks[name] = look_at(name);
    to_look_at.push_back(name);
  };
  const auto add = [&](const std::string& observer, const DiskWaits& of_process, bool if_new) {
    const std::string mountinfo =
        read_attended({fmt::format("{}/{}/mountinfo", proc_root_, observer)}, kMostBytes)[0];
    for (const DiskFileSystem& file_system : disk_file_systems(mountinfo, of_process)) {
      const auto name = name_of(file_system);
      if (!name || (if_new && disks.contains(*name))) continue;
      want(*name);
      const auto disk = disks.find(*name);
      if (disk != disks.end()) add_mounts(file_system, disk->second);
    }
  };
  for (const DiskWaits& of_process : waits) {
    add(std::to_string(of_process.pid.value()), of_process, false);
  }
  // A container does not see the mount that its own files are on.
  const auto unnamed = std::ranges::find(waits, true, &DiskWaits::unnamed);
  if (unnamed != waits.end()) add("self", *unnamed, true);
  while (!to_look_at.empty()) {
    const std::vector<std::string> beneath = disks[to_look_at.back()].beneath;
    to_look_at.pop_back();
    for (const std::string& name : beneath) want(name);
  }
  std::vector<facts::Disk> all;
  all.reserve(disks.size());
  for (auto& [name, disk] : disks) all.push_back(std::move(disk));
  return all;
}

}  // namespace acceptq::collect
