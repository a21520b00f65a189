// The block devices that processes wait for, and what the kernel counts for them. Files of /proc
// and /sys alone are read: nothing here asks a device itself.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/units.h"
#include "evidence/diskstats.h"
#include "facts/threads.h"

namespace acceptq::collect {

// What a process was seen waiting for that may be on a disk.
struct DiskWaits {
  Pid pid;
  std::vector<facts::FileTarget> files;
  bool unnamed = false;  // something else, too: it may be of any disk that the process uses
};
// Of all accepting threads, by process. Pure.
[[nodiscard]] std::vector<DiskWaits> disk_waits(
    const std::map<std::string, facts::Acceptors>& acceptors);

// What the kernel had counted at one moment.
struct DiskReading {
  std::int64_t at_ns = 0;
  std::vector<evidence::DiskStats> disks;
  std::optional<std::uint64_t> hung_tasks;  // kernel.hung_task_detect_count
};

// Of `wanted`, by name: what was counted between two readings. Pure.
void count_between(const DiskReading& earlier, const DiskReading& later,
                   std::vector<facts::Disk>& wanted);
[[nodiscard]] std::optional<facts::HungTasks> hung_between(const DiskReading& earlier,
                                                           const DiskReading& later);

// The device and the mount points of one file system that may be on a disk.
struct DiskFileSystem {
  std::uint64_t device = 0;  // as st_dev
  std::string source;        // "/dev/mapper/vg0-images"
  std::vector<std::string> mountpoints;
};
// Those of the text of /proc/PID/mountinfo that `waits` are about; mount points that hold a file of
// these come first. Pure.
[[nodiscard]] std::vector<DiskFileSystem> disk_file_systems(std::string_view mountinfo,
                                                            const DiskWaits& waits);

class Disks {
 public:
  Disks(std::string proc_root, std::string sys_root)
      : proc_root_(std::move(proc_root)), sys_root_(std::move(sys_root)) {}

  [[nodiscard]] DiskReading read() const;
  // The disks of these file systems, and those beneath; without counts.
  [[nodiscard]] std::vector<facts::Disk> below(const std::vector<DiskWaits>& waits) const;

 private:
  [[nodiscard]] std::optional<std::string> name_of(const DiskFileSystem& file_system) const;
  [[nodiscard]] facts::Disk look_at(const std::string& name) const;

  std::string proc_root_;
  std::string sys_root_;
};

}  // namespace acceptq::collect
