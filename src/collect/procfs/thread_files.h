// What the files of one thread say: /proc/PID/task/TID/{schedstat,syscall,stack}. Pure. (Its stat:
// process.h.)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collect/syscalls.h"

namespace acceptq::collect::procfs {

// The time that a thread was ready to run without a core: the second number of schedstat. Nothing
// where the kernel does not keep it: then the third, how often the thread was put on a core, is 0.
[[nodiscard]] std::optional<std::uint64_t> parse_run_delay(std::string_view schedstat);

// The call that a thread sleeps in.
struct SyscallLine {
  long number = -1;
  CallEntry entry;
};

// Of "0 0x6 0x7fef54550a40 … SP PC". Nothing for "running", for "-1 SP PC" (it sleeps, but not in a
// call: a page fault, or stopped), for any other text, and for a 32-bit process, whose numbers are
// others: there both stack and code lie below 4 GiB.
[[nodiscard]] std::optional<SyscallLine> parse_syscall(std::string_view text);

// Whether it is "running": then the thread is on a core, or waits for one.
[[nodiscard]] bool is_running(std::string_view syscall);

// The functions of "[<0>] anon_pipe_read+0x366/0x410 [module]", innermost first.
[[nodiscard]] std::vector<std::string> parse_stack(std::string_view text);

}  // namespace acceptq::collect::procfs
