// /proc/diskstats: what the kernel counts for each block device. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace acceptq::evidence {

// Since the device came; but for `in_flight`, which is of this moment. Times in milliseconds.
struct DiskCounts {
  std::uint64_t reads = 0;  // that have ended
  std::uint64_t read_ms = 0;
  std::uint64_t writes = 0;
  std::uint64_t write_ms = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t busy_ms = 0;  // in which anything was in flight

  friend bool operator==(const DiskCounts&, const DiskCounts&) = default;
};

struct DiskStats {
  std::uint64_t device = 0;  // major << 20 | minor
  std::string name;          // "dm-0", "vda1"
  DiskCounts counts;

  friend bool operator==(const DiskStats&, const DiskStats&) = default;
};

// The devices of the text, in its order (block/genhd.c, diskstats_show of Linux 6.1: major, minor,
// name, then of reads those that ended, merged, sectors and time, of writes the same, in flight,
// time with any in flight, and what later kernels add). Lines that are not of the file's form are
// passed over.
[[nodiscard]] std::vector<DiskStats> parse_diskstats(std::string_view text);

}  // namespace acceptq::evidence
