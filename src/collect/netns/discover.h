// Every network namespace alive on this host, and how to enter it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "facts/namespace.h"

namespace acceptq::collect::netns {

// One way into a namespace.
struct Entrance {
  // "/proc/3985/ns/net", "/proc/3985/fd/7"; for a mount, its mount point below `root`.
  std::string path;
  // For a mount: "/", or "/proc/3985/root" where it is in that process's mount namespace only.
  std::string root;
  std::string remote_type;  // NamespaceMount's

  [[nodiscard]] std::string name() const { return root.size() > 1 ? root + path : path; }
};

struct Handle {
  NetnsId id;
  std::optional<bool> is_host;  // the initial one; empty where that cannot be told
  bool is_own = false;          // the calling thread's: nothing to enter
  facts::HeldBy held_by = facts::HeldBy::kUnknown;
  std::vector<Entrance> entrances;  // at most kEntrancesKept: if a process ends, another may do
  std::string mount_path;           // "/run/netns/x" where it is bind-mounted
  std::vector<Pid> pids;            // some processes in it (at most kPidsKept), lowest first
};

inline constexpr std::size_t kPidsKept = 4;
inline constexpr std::size_t kEntrancesKept = 4;

struct Discovery {
  std::vector<Handle> handles;  // by id
  // Processes whose namespace link may not be read, or that are stuck. Which namespace they live in
  // is still seen from /proc/PID/net: the inode of its `stat` is the namespace's own for as long as
  // that lives (fs/proc/proc_net.c, proc_net_ns_init; checked on 6.18).
  std::size_t denied = 0;
  // Those of them that live in no handle's namespace that a process shows, by namespace
  // (net_identity()): each may be one that only its mount shows, which to enter tells.
  std::map<std::uint64_t, std::size_t> hidden;
  std::size_t unplaced = 0;  // where even that cannot be told
  std::vector<Pid> stuck;    // did not answer (attended.h); as if denied
  // The PID namespace is not the host's: /proc lists the processes of one container.
  bool hides_host = false;
  bool hides_processes = false;  // /proc does not list everybody's processes (hidepid)

  // Whether a namespace may exist that is not in `handles` though processes live in it.
  [[nodiscard]] bool is_partial() const {
    return !hidden.empty() || unplaced > 0 || hides_processes;
  }
};

// What tells the network namespace of a process from others without the right to read its link (see
// Discovery::denied): `process_dir` is its folder of /proc.
[[nodiscard]] std::optional<std::uint64_t> net_identity(const std::string& process_dir);

struct DiscoverOptions {
  std::string proc_root = "/proc";
  // Without it: processes, and mounts where acceptq itself sees them. With it also every thread,
  // the mounts of every mount namespace that a process lives in, and every descriptor of the host:
  // a link read for each.
  bool thorough = false;
  unsigned threads = 1;
  std::vector<Pid> skip;  // sorted: known not to answer
};

// Reads directories, links and mountinfo of /proc only: nothing of a process is opened or followed,
// so stalled storage cannot hang it; a process whose links wait is given up. Fails where
// `proc_root` cannot be listed.
[[nodiscard]] Result<Discovery> discover_namespaces(const DiscoverOptions& options);

}  // namespace acceptq::collect::netns
