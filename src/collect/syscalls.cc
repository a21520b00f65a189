#include "collect/syscalls.h"

#include <asm/unistd.h>
#include <linux/futex.h>

#include <algorithm>
#include <array>
#include <ranges>
#include <string_view>

namespace acceptq::collect {
namespace {

struct Entry {
  long number = 0;
  std::string_view name;
};

// Written by CMake: {__NR_read, "read"} for each that the compiler's <asm/unistd.h> defines.
constexpr auto kByNumber = [] {
  std::array entries = std::to_array<Entry>({
#include "collect/syscall_table.inc"
  });
  std::ranges::sort(entries, {}, &Entry::number);
  return entries;
}();

// Without io_uring_enter(), whose first argument may also be the index of a registered ring.
constexpr auto kOnDescriptors = [] {
  std::array names = std::to_array<std::string_view>(
      {// files
       "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2",
       "pwritev2", "lseek", "fsync", "fdatasync", "sync_file_range", "sync_file_range2", "syncfs",
       "ftruncate", "fallocate", "fadvise64", "readahead", "flock", "fcntl", "ioctl", "getdents",
       "getdents64", "sendfile", "sendfile64", "splice", "tee", "vmsplice", "copy_file_range",
       "cachestat", "fstat", "fstatfs", "fchdir", "fchmod", "fchown", "fsetxattr", "fgetxattr",
       "flistxattr", "fremovexattr", "close", "dup", "dup2", "dup3",
       // sockets
       "accept", "accept4", "connect", "bind", "listen", "shutdown", "sendto", "recvfrom",
       "sendmsg", "recvmsg", "sendmmsg", "recvmmsg", "getsockopt", "setsockopt", "getsockname",
       "getpeername",
       // what waits for others
       "epoll_wait", "epoll_pwait", "epoll_pwait2", "epoll_ctl", "inotify_add_watch",
       "inotify_rm_watch", "fanotify_mark", "signalfd", "signalfd4", "timerfd_settime",
       "timerfd_gettime", "mq_timedsend", "mq_timedreceive", "mq_notify", "mq_getsetattr",
       "pidfd_send_signal", "pidfd_getfd", "setns", "finit_module"});
  std::ranges::sort(names);
  return names;
}();

}  // namespace

std::optional<std::string_view> syscall_name(long number) {
  const auto it = std::ranges::lower_bound(kByNumber, number, {}, &Entry::number);
  if (it == kByNumber.end() || it->number != number) return std::nullopt;
  return it->name;
}

std::optional<DescriptorArgument> descriptor_argument(long number) {
  const std::optional<std::string_view> name = syscall_name(number);
  if (!name || !std::ranges::binary_search(kOnDescriptors, *name)) return std::nullopt;
  return DescriptorArgument{.in_state_d = name->starts_with("sendfile") ? 1U : 0U};
}

void take_entry(const CallEntry& entry, facts::Wait& wait) {
  const std::span<const std::uint64_t, 4> arguments = entry.arguments;
  if (wait.syscall == "futex" || wait.syscall == "futex_wait") {
    wait.lock = arguments[0];
    // futex(address, operation, value, timeout): all operations that sleep have it there.
    if (wait.syscall != "futex") return;
    wait.timed = arguments[3] != 0;
  } else if (facts::is_polling(wait)) {
    // poll(descriptors, count, milliseconds), ppoll(…, …, time), select(highest + 1, …), whose time
    // is the fifth.
    const bool is_poll = wait.syscall == "poll" || wait.syscall == "ppoll";
    const auto milliseconds = static_cast<std::int32_t>(arguments[2]);
    if (wait.syscall == "poll") wait.timed = milliseconds >= 0;
    if (wait.syscall == "ppoll") wait.timed = arguments[2] != 0;
    if (arguments[is_poll ? 1 : 0] != 0) return;
    wait.polled = facts::Polled::kNothing;
    wait.timed = wait.timed.value_or(true);
  }
}

std::optional<std::string_view> syscall_of(std::span<const std::string> stack) {
  // SYSCALL_DEFINEx of arch/x86 and arch/arm64, include/asm/syscall_wrapper.h.
  constexpr std::array<std::string_view, 2> kPrefixes = {"__x64_sys_", "__arm64_sys_"};
  for (const std::string_view function : stack | std::views::reverse) {
    for (const std::string_view prefix : kPrefixes) {
      if (!function.starts_with(prefix)) continue;
      const std::string_view name = function.substr(prefix.size());
      const auto* it = std::ranges::find(kByNumber, name, &Entry::name);
      if (it != kByNumber.end()) return it->name;
    }
  }
  return std::nullopt;
}

}  // namespace acceptq::collect
