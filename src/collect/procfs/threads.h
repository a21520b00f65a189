// The look at threads from /proc, where no BPF iterator can be had: the same facts for seventy
// times the cost (0.1 ms a thread), and those of one thread after those of another.
//
// `stat`, `syscall`, `stack` and `wchan` of a thread wait for a process that is inside execve(),
// and so do the links of its descriptors: they are read in threads that can be left behind
// (collect/attended.h). What is known of such a process comes from `status` and `schedstat`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "base/units.h"
#include "collect/thread_look.h"

namespace acceptq::collect::procfs {

class ThreadReader {
 public:
  explicit ThreadReader(std::string proc_root) : proc_root_(std::move(proc_root)) {}

  // At most `most_threads` in all; where there are more, each process has an equal part, and what
  // one does not need the others have. A thread that moved while it was read is in state R, as one
  // that ran. Without the right to read its stack, that is the one function of wchan. Wait queues
  // are not read. Processes that have gone are passed over.
  //
  // One that does not answer costs the patience of collect/attended.h, once: until it has moved, as
  // its count of context switches tells, it is not asked again.
  [[nodiscard]] ThreadsSeen look(std::span<const WatchedProcess> watched, std::size_t most_threads);

 private:
  std::string proc_root_;
  std::map<Pid, std::optional<std::uint64_t>> stuck_;  // with its context switches then
};

}  // namespace acceptq::collect::procfs
