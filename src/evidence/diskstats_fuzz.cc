// Any bytes as /proc/diskstats: no more devices than lines, each with a number that a device has.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "evidence/diskstats.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto disks = acceptq::evidence::parse_diskstats(text);
  const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1;
  if (disks.size() > lines) std::abort();
  for (const auto& disk : disks) {
    if (disk.name.empty() || disk.device >> 32 != 0) std::abort();
  }
  return 0;
}
