// Cgroups that limit the CPU time of servers, removed at the end whatever happens.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace acceptq::lab {

// Where cgroups with a CPU quota may be: a mount of the v1 controller "cpu", or of v2, which has
// the controller or not.
struct CpuHierarchy {
  std::string mount;
  bool v2 = false;
};

// /proc/PID/mountinfo (proc(5)): v1 first, since a controller that v1 holds is not in v2. Mount
// points with escaped bytes are left out. Pure.
[[nodiscard]] std::vector<CpuHierarchy> parse_cpu_hierarchies(std::string_view mountinfo);

// The text of v2's cpu.max: microseconds of CPU time in each period of 100 ms. Pure.
[[nodiscard]] std::string cpu_max(double cores);

// The kernel takes down a sandbox, but not its cgroups. So a process of its own, the janitor, waits
// until this object and all that inherited it are gone, in whatever way, and removes them.
class CpuGroups {
 public:
  // Finds the controller and forks the janitor. To be called before the sandbox is made, so that
  // the janitor is outside of it. Fails with kUnsupported where no cgroup can be made here.
  [[nodiscard]] static Result<CpuGroups> create();
  CpuGroups(CpuGroups&& other) noexcept;
  CpuGroups& operator=(CpuGroups&&) = delete;
  CpuGroups(const CpuGroups&) = delete;
  CpuGroups& operator=(const CpuGroups&) = delete;
  ~CpuGroups();

  // Makes the cgroup of a server where it is not there yet, and sets its quota. Returns the file
  // that a process writes "0" to, to join. Works inside the sandbox too.
  [[nodiscard]] Result<std::string> make(const std::string& server, double cores) const;

  // Removes the groups; what was in them must have ended. Called by the destructor too.
  [[nodiscard]] Status remove();

 private:
  CpuGroups(CpuHierarchy hierarchy, std::string prefix, UniqueFd alive, pid_t janitor)
      : hierarchy_(std::move(hierarchy)),
        prefix_(std::move(prefix)),
        alive_(std::move(alive)),
        janitor_(janitor) {}

  CpuHierarchy hierarchy_;
  std::string prefix_;  // of the names of the groups, all directly in the mount
  UniqueFd alive_;      // the janitor holds the other end of this pipe
  pid_t janitor_;       // 0: has ended
};

}  // namespace acceptq::lab
