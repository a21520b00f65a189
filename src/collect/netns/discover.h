// Every network namespace alive on this host, and how to enter it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "facts/namespace.h"

namespace acceptq::collect::netns {

// A namespace and a path that setns(2) can open to enter it.
struct Handle {
  NetnsId id;
  bool is_host = false;  // PID 1's; where that may not be read, the caller's own
  bool is_own = false;   // the calling thread's: nothing to enter
  facts::HeldBy held_by = facts::HeldBy::kUnknown;
  std::string path;        // "/proc/3985/ns/net", "/proc/1/root/run/netns/x" …
  std::string mount_path;  // "/run/netns/x" where it is bind-mounted
  std::vector<Pid> pids;   // some processes in it (at most kPidsKept), lowest first
};

inline constexpr std::size_t kPidsKept = 4;

struct Discovery {
  std::vector<Handle> handles;  // by id
  // Processes whose namespace may not be read. A namespace that only they live in is not seen.
  std::vector<Pid> denied;
};

struct DiscoverOptions {
  std::string proc_root = "/proc";
  // Also look through every process's descriptors for namespaces that only an open file keeps
  // alive: a link read for each descriptor of the host.
  bool descriptors = false;
};

// Processes' namespaces by the links /proc/PID/ns/net of thread group leaders (a thread that moved
// alone into a namespace is found through a mount or a descriptor, which it needs to get there),
// then bind mounts of every mount namespace that a process lives in, then descriptors. Reads links
// only: nothing of a process is opened, so stalled storage cannot hang it. Fails where `proc_root`
// cannot be listed.
[[nodiscard]] Result<Discovery> discover_namespaces(const DiscoverOptions& options);

}  // namespace acceptq::collect::netns
