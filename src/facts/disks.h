// Block devices behind the files that accepting threads wait for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace acceptq::facts {

// Where a process sees a file system that is on a disk.
struct DiskMount {
  std::uint64_t device = 0;  // of the file system, as in FileTarget; of btrfs it is no disk's
  std::string mountpoint;

  friend bool operator==(const DiskMount&, const DiskMount&) = default;
};

// One that a file system is on, or that is beneath such a one. Counts are of the time that was
// watched, and empty after one look.
struct Disk {
  std::string name;                   // the kernel's: "dm-0", "vda1"
  std::uint64_t device = 0;           // major << 20 | minor
  std::optional<std::string> mapper;  // its name in /dev/mapper: "vg0-images"
  std::vector<DiskMount> mounts;
  // What it is made of: members of a dm or md device, the disk of a partition; nearest first.
  std::vector<std::string> beneath;
  std::optional<std::uint64_t> in_flight;  // at the end
  std::optional<std::uint64_t> watched_ms;
  std::optional<std::uint64_t> reads;  // that ended
  std::optional<std::uint64_t> read_ms;
  std::optional<std::uint64_t> writes;
  std::optional<std::uint64_t> write_ms;
  std::optional<std::uint64_t> busy_ms;  // with anything in flight

  friend bool operator==(const Disk&, const Disk&) = default;
};

// Tasks of the whole host that slept in D without a switch for longer than
// kernel.hung_task_timeout_secs, each counted once for every such time (Linux 6.13).
struct HungTasks {
  std::uint64_t total = 0;            // since the host started
  std::optional<std::uint64_t> more;  // while it was watched

  friend bool operator==(const HungTasks&, const HungTasks&) = default;
};

// Whether a file is at `mountpoint` or below it, by their names.
[[nodiscard]] inline bool is_below_mountpoint(std::string_view path, std::string_view mountpoint) {
  return mountpoint == "/" || (path.starts_with(mountpoint) && (path.size() == mountpoint.size() ||
                                                                path[mountpoint.size()] == '/'));
}

}  // namespace acceptq::facts
