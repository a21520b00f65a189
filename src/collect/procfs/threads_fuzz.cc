// Any bytes as the files of a thread, and of a descriptor: link, fdinfo and mountinfo, parted by
// NULs.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/text.h"
#include "collect/procfs/file_target.h"
#include "collect/procfs/thread_files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace acceptq::collect::procfs;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)parse_run_delay(text);
  if (const auto line = parse_syscall(text); line && line->number < 0) std::abort();
  for (const std::string& function : parse_stack(text)) {
    if (function.empty() || function.find('\n') != std::string::npos) std::abort();
  }
  const auto parts = acceptq::split(text, '\0');
  const auto part = [&](std::size_t i) { return i < parts.size() ? parts[i] : std::string_view{}; };
  const auto target = target_of(part(0), part(1), part(2));
  if (target.path != part(0)) std::abort();
  if (target.type.find('.') != std::string::npos) std::abort();
  return 0;
}
