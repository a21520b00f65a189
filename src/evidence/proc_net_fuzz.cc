// Any bytes as /proc/net/tcp and /proc/net/unix.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "evidence/proc_net.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace acceptq;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& file : {evidence::kProcNetTcp, evidence::kProcNetUnix}) {
    const auto listeners = file.parse(text);
    if (!listeners && listeners.error().code != ErrorCode::kMalformed) std::abort();
  }
  return 0;
}
