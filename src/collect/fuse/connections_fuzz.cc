// Any bytes as mountinfo and as the fdinfo of a descriptor: no file system twice, and none of
// another kind.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "collect/fuse/connections.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace acceptq;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)collect::fuse::parse_connection(text);
  auto mounts = collect::fuse::parse_mounts(text, {});
  for (const facts::FuseConnection& mount : mounts) {
    if (!mount.type || !mount.type->starts_with("fuse")) std::abort();
  }
  std::ranges::sort(mounts, {}, &facts::FuseConnection::device);
  if (std::ranges::adjacent_find(mounts, {}, &facts::FuseConnection::device) != mounts.end()) {
    std::abort();
  }
  return 0;
}
