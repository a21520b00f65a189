#include "apply/held_process.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "base/file.h"
#include "collect/procfs/process.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

namespace acceptq::apply {

UniqueFd hold_process(Pid pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid.value(), 0U)));
}

bool is_the_process(int pidfd, Pid pid, std::uint64_t start_ticks) {
  const Result<std::string> text =
      read_file("/proc/" + std::to_string(pid.value()) + "/stat", 4096);
  const auto stat = text ? collect::procfs::parse_stat(*text) : fail(text.error());
  // What was read is of the process behind the descriptor if that has not ended even now.
  pollfd ended{.fd = pidfd, .events = POLLIN, .revents = 0};
  const bool alive = ::poll(&ended, 1, 0) == 0;
  return alive && stat && stat->start_ticks == start_ticks;
}

}  // namespace acceptq::apply
