#include "evidence/diskstats.h"

#include <array>

#include "base/text.h"

namespace acceptq::evidence {

std::vector<DiskStats> parse_diskstats(std::string_view text) {
  constexpr std::size_t kCounts = 10;
  constexpr std::size_t kNames = 3;  // major, minor and name stand before them
  constexpr int kMinorBits = 20;     // of the kernel's dev_t
  constexpr std::uint32_t kMostMajor = (1U << (32 - kMinorBits)) - 1;
  constexpr std::uint32_t kMostMinor = (1U << kMinorBits) - 1;
  std::vector<DiskStats> disks;
  while (!text.empty()) {
    const std::vector<std::string_view> words = split_blank(next_line(text));
    if (words.size() < kNames + kCounts) continue;
    const auto major = parse_int<std::uint32_t>(words[0]);
    const auto minor = parse_int<std::uint32_t>(words[1]);
    if (!major || !minor || *major > kMostMajor || *minor > kMostMinor) continue;
    std::array<std::uint64_t, kCounts> counts{};
    bool whole = true;
    for (std::size_t i = 0; i < kCounts; ++i) {
      const auto count = parse_int<std::uint64_t>(words[kNames + i]);
      whole = whole && count.has_value();
      counts.at(i) = count.value_or(0);
    }
    if (!whole) continue;
    disks.push_back({.device = std::uint64_t{*major} << kMinorBits | *minor,
                     .name = std::string(words[2]),
                     .counts = {.reads = counts[0],
                                .read_ms = counts[3],
                                .writes = counts[4],
                                .write_ms = counts[7],
                                .in_flight = counts[8],
                                .busy_ms = counts[9]}});
  }
  return disks;
}

}  // namespace acceptq::evidence
