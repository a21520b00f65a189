// One process as /proc shows it.
//
// Only files are read that take no lock which a stuck process can hold, or else from a thread that
// can be left behind (attended.h): `stat` and the links `exe` and `ns/net` wait for a process that
// is inside execve(). `comm`, `status` and `cgroup` never wait. `cmdline`, `environ`, `maps` and
// `smaps` take the process's mmap lock, which a page fault on dead storage holds for as long as the
// storage is dead; they are not read here (owner_details.h).
// Before 4.1 the link `exe` took it too (get_mm_exe_file, kernel/fork.c; made lock-free by "mm:
// rcu-protected get_mm_exe_file()"), so there it is left out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "facts/process.h"

namespace acceptq::collect::procfs {

// What is used of /proc/PID/stat and of /proc/PID/task/TID/stat (fs/proc/array.c, do_task_stat):
// the times and faults of the former are those of all threads.
struct StatFields {
  Pid pid;           // or the thread
  std::string comm;  // any bytes, blanks and parentheses among them
  char state = '?';
  Pid parent;
  std::uint64_t major_faults = 0;  // field 12
  std::uint64_t user_ticks = 0;    // field 14
  std::uint64_t system_ticks = 0;  // field 15
  std::uint64_t start_ticks = 0;   // field 22
};

// What is used of /proc/PID/status.
struct StatusFields {
  std::optional<Pid> parent;
  std::optional<std::uint32_t> uid;  // effective
  std::optional<Pid> tracer;         // a debugger's
  std::optional<bool> dumping_core;  // from Linux 4.15 on
};

// Fails with kTruncated where a field is missing and with kMalformed where one is no number.
[[nodiscard]] Result<StatFields> parse_stat(std::string_view text);
// Fields that are missing stay empty; fails with kMalformed where one is there and is no number.
[[nodiscard]] Result<StatusFields> parse_status(std::string_view text);

// N of "net:[N]" and of "socket:[N]"; nothing for any other text.
[[nodiscard]] std::optional<NetnsId> parse_netns_link(std::string_view target);
[[nodiscard]] std::optional<SocketInode> parse_socket_link(std::string_view target);

// The processes that PROC_ROOT lists, sorted; those before an error.
[[nodiscard]] std::vector<Pid> list_processes(const std::string& proc_root);

enum class ExeLink { kRead, kLeaveOut };

// kRead where a kernel of this release ("6.1.0-56-amd64") reads the link without the mmap lock.
// This and the next go by version: whether a lock is taken cannot be probed without taking it.
[[nodiscard]] ExeLink exe_link_for(std::string_view release);

enum class CommandLine { kRead, kLeaveOut };

// kRead where a thread that waits for the mmap lock to read `cmdline` can be killed, so that one
// that was left behind does not hold up the end of acceptq: from 5.3 on (access_remote_vm, mm/
// memory.c, "mm: use down_read_killable for locking mmap_sem in access_remote_vm").
[[nodiscard]] CommandLine command_line_for(std::string_view release);

// The process, with container id, runtime and pod UID as its cgroup tells them; no names yet.
// What may not be read is empty (exe and netns of other users' processes); fails where the process
// is gone, or hidden, or its `stat` cannot be read. All reads go through one descriptor of
// PROC_ROOT/PID, which stays bound to that process when the PID is given to another, and the start
// time is compared at the end: the result never mixes two processes.
[[nodiscard]] Result<facts::Process> read_process(const std::string& proc_root, Pid pid,
                                                  ExeLink exe = ExeLink::kRead);

// The same of a process that is stuck, from the files that never wait: no executable, no namespace
// and 0 for its start time.
[[nodiscard]] Result<facts::Process> read_stuck_process(const std::string& proc_root, Pid pid);

}  // namespace acceptq::collect::procfs
