#include <cstddef>
#include <cstdint>

#include "listenpath/kernel.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static_cast<void>(acceptq::listenpath::rules_for({reinterpret_cast<const char*>(data), size}));
  return 0;
}
