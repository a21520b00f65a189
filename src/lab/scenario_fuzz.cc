// Any bytes at all are a scenario or an error with its reason, never a crash.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "lab/scenario.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const acceptq::Result<acceptq::lab::Scenario> scenario =
      acceptq::lab::parse_scenario(text, "fuzz");
  if (!scenario && scenario.error().context.empty()) std::abort();
  return 0;
}
