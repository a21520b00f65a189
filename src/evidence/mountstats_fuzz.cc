// Any bytes as /proc/PID/mountstats: no more mounts than lines, each of NFS.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "evidence/mountstats.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto mounts = acceptq::evidence::parse_mountstats(text);
  const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1;
  if (mounts.size() > lines) std::abort();
  for (const auto& mount : mounts) {
    if (!mount.type.starts_with("nfs")) std::abort();
  }
  return 0;
}
