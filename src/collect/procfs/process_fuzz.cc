// Any bytes as /proc/PID/stat and /proc/PID/status.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "collect/procfs/owner_details.h"
#include "collect/procfs/process.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace acceptq::collect::procfs;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto stat = parse_stat(text);
  if (stat && stat->pid.value() <= 0) std::abort();
  (void)parse_status(text);
  (void)parse_netns_link(text);
  (void)parse_socket_link(text);
  (void)exe_link_for(text);
  (void)program_of(text);
  (void)parse_open_files_limit(text);
  return 0;
}
