#include <cstddef>
#include <cstdint>
#include <string_view>

#include "import/capture/tcpdump_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static_cast<void>(acceptq::imports::capture::read_tcpdump_text(
      {reinterpret_cast<const char*>(data), size}, "fuzz"));
  return 0;
}
