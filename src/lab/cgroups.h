// Cgroups for servers, which limit their CPU time or freeze them; removed at the end whatever
// happens.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "lab/scenario.h"

namespace acceptq::lab {

// A mount in which groups can be made: that of a v1 controller, or of v2.
struct Hierarchy {
  std::string mount;
  bool v2 = false;

  friend bool operator==(const Hierarchy&, const Hierarchy&) = default;
};

// Those of /proc/PID/mountinfo (proc(5)) that may have the controller: v1 first, since a controller
// that v1 holds is not in v2. Mount points with escaped bytes are left out. Pure.
[[nodiscard]] std::vector<Hierarchy> parse_hierarchies(std::string_view mountinfo,
                                                       std::string_view v1_controller);

// The text of v2's cpu.max: microseconds of CPU time in each period of 100 ms. Pure.
[[nodiscard]] std::string cpu_max(double cores);

// The kernel takes down a sandbox, but not its cgroups. So a process of its own, the janitor, waits
// until this object and all that inherited it are gone, in whatever way, and removes them; what is
// frozen in them is thawed before, since v1 lets not even SIGKILL end it.
class Cgroups {
 public:
  // Finds the controllers and forks the janitor. To be called before the sandbox is made, so that
  // the janitor is outside of it. Fails with kUnsupported where no cgroup can be made here.
  [[nodiscard]] static Result<Cgroups> create(CgroupNeed need);
  Cgroups(Cgroups&& other) noexcept;
  Cgroups& operator=(Cgroups&&) = delete;
  Cgroups(const Cgroups&) = delete;
  Cgroups& operator=(const Cgroups&) = delete;
  ~Cgroups();

  // Makes the cgroups that a server needs where they are not there yet, and sets their quotas.
  // Returns the files that a process writes "0" to, to join. Works inside the sandbox too.
  [[nodiscard]] Result<std::vector<std::string>> make(const Scenario& scenario,
                                                      const ServerSpec& server) const;

  // Freezes or thaws a server that was started, or a group in which one was, and waits until it is.
  [[nodiscard]] Status freeze(const Scenario& scenario, const FreezeStep& step) const;
  [[nodiscard]] Status thaw(const Scenario& scenario, const ServerSpec& server) const;

  // Removes the groups; what was in them must have ended or be about to. Called by the destructor
  // too.
  [[nodiscard]] Status remove();

 private:
  Cgroups(std::optional<Hierarchy> cpu, std::optional<Hierarchy> freezer, std::string prefix,
          UniqueFd alive, pid_t janitor);
  [[nodiscard]] Status set_frozen(const std::string& group, bool frozen) const;

  std::optional<Hierarchy> cpu_;
  std::optional<Hierarchy> freezer_;
  std::string prefix_;  // of the names of the groups that are directly in a mount
  UniqueFd alive_;      // the janitor holds the other end of this pipe
  pid_t janitor_;       // 0: has ended
};

}  // namespace acceptq::lab
