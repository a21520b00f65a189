// Any bytes as an archive.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "bundle/bundle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  constexpr std::size_t kMost = 1 << 20;
  const auto entries = acceptq::bundle::unpack(bytes, "x", {.bytes = kMost, .entries = 100});
  if (entries && entries->size() > 100) __builtin_trap();
  return 0;
}
