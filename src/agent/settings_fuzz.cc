// Any bytes at all are settings that keep the rules, or an error with its reason.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/settings.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const acceptq::Result<acceptq::agent::Settings> settings =
      acceptq::agent::parse_settings(text, "fuzz");
  if (!settings && settings.error().context.empty()) std::abort();
  if (settings && acceptq::agent::conflict(*settings)) std::abort();
  return 0;
}
