#include <cstddef>
#include <cstdint>
#include <span>

#include "import/capture/decapsulate.h"

// The first two bytes are the link type.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto link_type = static_cast<std::uint16_t>(data[0] << 8 | data[1]);
  static_cast<void>(acceptq::imports::capture::decapsulate(
      link_type, std::span<const std::uint8_t>(data, size).subspan(2)));
  return 0;
}
