// Any bytes as /proc/PID/mountinfo: no more mounts than lines.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "collect/netns/mountinfo.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace acceptq;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto mounts = collect::netns::parse_namespace_mounts(text);
  const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1;
  if (mounts.size() > lines) std::abort();
  for (const auto& mount : mounts) {
    if (mount.path.empty()) std::abort();
  }
  return 0;
}
