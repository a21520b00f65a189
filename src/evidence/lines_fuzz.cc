// Any bytes as a file of a control group or a line of mountinfo: what is found is possible.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "evidence/cpu_limits.h"
#include "evidence/memory_limits.h"
#include "evidence/mount_line.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace acceptq::evidence;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(parse_cpu_stat(text));
  if (const auto quota = parse_cpu_max(text); quota && quota->period_us == 0) std::abort();
  static_cast<void>(parse_memory_limit(text));
  static_cast<void>(parse_memory_events(text));
  static_cast<void>(parse_stalled_us(text));
  if (const auto mount = parse_mount_line(text); mount && mount->type.empty()) std::abort();
  return 0;
}
