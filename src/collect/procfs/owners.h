// Which processes hold which sockets open: one walk of /proc/*/fd for the whole host.
//
// Only getdents64 and readlinkat are used. The link's text, "socket:[48213]", comes from the
// dentry (fs/proc/fd.c, proc_fd_link; net/socket.c, sockfs_dname) and touches neither the socket's
// lock nor, for any other descriptor, the file system behind it; stat() or open() on the same name
// would go there, and hang where it is dead.
//
// Not seen: descriptors of a thread that unshared its table from the thread group leader, and
// those in no table at all (in flight over a Unix socket, io_uring's fixed files).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "facts/listener.h"

namespace acceptq::collect::procfs {

struct OwnerWalk {
  // By socket, ordered by pid and descriptor; only sockets that were wanted and have an owner.
  std::unordered_map<SocketInode, std::vector<facts::OwnerRef>> owners;

  std::uint32_t processes = 0;        // whose descriptors were read
  std::uint64_t descriptors = 0;      // that they had
  std::uint32_t vanished = 0;         // exited before or while they were read
  std::uint32_t denied = 0;           // may not be read (EACCES, EPERM)
  std::vector<Pid> denied_examples;   // the first few
  std::vector<Pid> stuck;             // did not answer (attended.h)
  std::vector<std::string> failures;  // read errors other than those, as text; the first few
  bool hides_processes = false;       // mounted with hidepid: even PID 1 cannot be seen

  // Whether every owner there was has been found (but for the kinds named above).
  [[nodiscard]] bool complete() const {
    return denied == 0 && stuck.empty() && failures.empty() && !hides_processes;
  }
};

struct OwnerWalkOptions {
  std::string proc_root = "/proc";
  unsigned threads = 1;
  std::vector<Pid> skip;  // sorted: known not to answer; they count as stuck
};

// Fails only where the proc root itself cannot be listed.
[[nodiscard]] Result<OwnerWalk> walk_socket_owners(const OwnerWalkOptions& options,
                                                   std::span<const SocketInode> wanted);

// Whether that descriptor still is that socket: lets a cache of owners be checked for the cost of
// one readlink each. False too where it cannot be read. Waits for a process that is stuck.
[[nodiscard]] bool still_owns(const std::string& proc_root, const facts::OwnerRef& owner,
                              SocketInode socket);

}  // namespace acceptq::collect::procfs
