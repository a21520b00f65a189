#include <cstddef>
#include <cstdint>
#include <string_view>

#include "cli/top_keys.h"

// What a terminal sends is no more to be trusted than a file: pasted text, a line's noise.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  acceptq::render::TopState state;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const acceptq::cli::Key& key : acceptq::cli::parse_keys(bytes)) {
    static_cast<void>(acceptq::cli::press(key, {"a", "b", "c"}, 2, state));
  }
  return 0;
}
