// Any bytes as the files that tell of a process's control groups: /proc/PID/cgroup and, behind a
// NUL, mountinfo; or two files of a freezer.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "collect/cgroup/held_back.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace acceptq::collect::cgroup;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view first = text.substr(0, text.find('\0'));
  const std::string_view second = text.substr(std::min(first.size() + 1, text.size()));
  (void)parse_v1_freezing(first, second);
  (void)parse_v2_freezing(first, second);
  const auto memberships = parse_cgroup(first);
  if (!memberships) return 0;
  for (const GroupsUp& up : groups_up(*memberships, parse_hierarchies(second), "cpu")) {
    for (const auto& group : up.groups) {
      if (!group.path.starts_with('/')) std::abort();
      if ((group.path + "/").find("/../") != std::string::npos) std::abort();
    }
  }
  return 0;
}
