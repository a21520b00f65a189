#include "diagnose/causes/wait_class.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>

#include "diagnose/causes/runtimes.h"

namespace acceptq::diagnose {
namespace {

using facts::Wait;
using std::string_view;

// Beginnings of the names of kernel functions, and what a thread waits for that sleeps below one.
struct Below {
  string_view prefix;
  WaitClass what;
};

// The first that holds counts. Sources are of Linux 6.1 where nothing else is said.
constexpr Below kBelow[] = {
    // kernel/freezer.c: version 1 of control groups. Version 2 parks in do_freezer_trap()
    // (kernel/signal.c), which is inlined into get_signal().
    {"__refrigerator", WaitClass::kFrozen},
    {"do_freezer_trap", WaitClass::kFrozen},
    // A file system's own process, which waits for requests: fs/fuse/dev.c.
    {"fuse_dev_", WaitClass::kOther},
    // Those who use it: fs/fuse/dev.c, file.c, dir.c.
    {"fuse_", WaitClass::kFuse},
    {"__fuse_", WaitClass::kFuse},
    {"request_wait_answer", WaitClass::kFuse},
    // fs/nfs, net/sunrpc.
    {"nfs_", WaitClass::kNfs},
    {"nfs4_", WaitClass::kNfs},
    {"nfs3_", WaitClass::kNfs},
    {"rpc_", WaitClass::kNfs},
    {"__rpc_", WaitClass::kNfs},
    // mm/vmscan.c, mm/memcontrol.c.
    {"try_to_free_pages", WaitClass::kReclaim},
    {"try_to_free_mem_cgroup_pages", WaitClass::kReclaim},
    {"shrink_", WaitClass::kReclaim},
    {"mem_cgroup_handle_over_high", WaitClass::kReclaim},
    {"__mem_cgroup_handle_over_high", WaitClass::kReclaim},
    {"mem_cgroup_out_of_memory", WaitClass::kReclaim},
    {"throttle_direct_reclaim", WaitClass::kReclaim},
    // Version 1, with memory.oom_control: until memory is freed, or the limit raised.
    {"mem_cgroup_oom_synchronize", WaitClass::kReclaim},
    // fs/pipe.c (fifo_open): for somebody at the other end.
    {"wait_for_partner", WaitClass::kPipe},
    // For room, in a FIFO as well, whose descriptor tells the file system that holds its name; from
    // Linux 6.15 by the other two names.
    {"pipe_write", WaitClass::kPipe},
    {"anon_pipe_write", WaitClass::kPipe},
    {"fifo_pipe_write", WaitClass::kPipe},
    // drivers/tty/n_tty.c, tty_io.c: for room in a terminal, or behind another that waits for it.
    {"n_tty_write", WaitClass::kPipe},
    {"file_tty_write", WaitClass::kPipe},
};

// Where a thread waits for a page or a block, of whatever file system: mm/filemap.c, fs/buffer.c,
// block/blk-core.c, kernel/sched/core.c (io_schedule); past the page cache (O_DIRECT):
// fs/iomap/direct-io.c, fs/direct-io.c.
constexpr std::array<string_view, 13> kForData = {
    "io_schedule", "folio_wait_",  "wait_on_page",        "__wait_on_buffer", "bit_wait_io",
    "blk_",        "jbd2_",        "submit_bio_wait",     "filemap_",         "balance_dirty_pages",
    "iomap_dio_",  "__iomap_dio_", "__blockdev_direct_IO"};

// Types of file systems that are served by a process, and over a network.
bool is_fuse(string_view type) { return type.starts_with("fuse"); }
bool is_nfs(string_view type) { return type.starts_with("nfs"); }
// With data of its own on a block device; an overlay's may be anywhere.
bool is_on_disk(string_view type) {
  constexpr std::array<string_view, 7> kTypes = {"ext4",  "ext3", "ext2", "xfs",
                                                 "btrfs", "f2fs", "erofs"};
  return std::ranges::find(kTypes, type) != kTypes.end();
}
// The last two: of a block device itself, whose name is in devtmpfs (block/fops.c).
constexpr std::array<string_view, 7> kOnDisk = {
    "ext4_", "xfs_", "btrfs_", "f2fs_", "jbd2_", "blkdev_", "__blkdev_direct_IO"};

constexpr std::array<string_view, 7> kForConnections = {
    "accept", "accept4", "epoll_wait", "epoll_pwait", "epoll_pwait2", "io_uring_enter", kParked};
constexpr std::array<string_view, 6> kForProcesses = {"wait4",           "waitid", "rt_sigsuspend",
                                                      "rt_sigtimedwait", "pause",  "signalfd"};
constexpr std::array<string_view, 7> kForLocks = {"futex", "futex_waitv", "futex_wait", "flock",
                                                  "fcntl", "semop",       "semtimedop"};
constexpr std::array<string_view, 3> kForTime = {"nanosleep", "clock_nanosleep", "sched_yield"};
constexpr std::array<string_view, 8> kThatWrite = {"write",  "writev",   "pwrite64", "pwritev",
                                                   "splice", "sendfile", "vmsplice", "tee"};

bool has(std::span<const string_view> names, string_view name) {
  return std::ranges::find(names, name) != names.end();
}

WaitClass of_socket(const facts::FileTarget& socket, const facts::Listener& listener) {
  if (socket.protocol == "udp") return WaitClass::kPeer;
  // Without ends it is no connection of TCP; unless it was seen by the name of its descriptor
  // alone, which tells nothing of it. Of a Unix socket nothing tells which end it is.
  const bool is_unix = !socket.peer && !socket.path;
  if (!socket.peer && (!is_unix || listener.protocol != facts::Protocol::kTcp)) {
    return WaitClass::kOther;
  }
  const bool is_own = listener.protocol == facts::Protocol::kTcp && socket.peer &&
                      socket.local_port == listener.port && socket.local &&
                      facts::serves_address(listener, *socket.local);
  return is_own ? WaitClass::kClient : WaitClass::kPeer;
}

WaitClass of_call(const Wait& wait, const facts::Listener& listener) {
  const string_view call = wait.syscall ? string_view(*wait.syscall) : string_view();
  const bool for_one_socket = facts::is_about_socket(wait);
  // For what another process writes, or for others than clients, with nothing that tells whether
  // that keeps it from them.
  if (wait.polled == facts::Polled::kPipes ||
      (wait.polled == facts::Polled::kConnections && !for_one_socket)) {
    return WaitClass::kOther;
  }
  const bool only_timer = wait.polled == facts::Polled::kNothing && wait.timed == true;
  if (facts::is_polling(wait) && only_timer && !wait.target) return WaitClass::kSleep;
  if (for_one_socket && (facts::is_polling(wait) || facts::waits_by_epoll(wait)))
    return of_socket(*wait.target, listener);
  if (facts::is_polling(wait) || has(kForConnections, call)) return WaitClass::kConnections;
  if (has(kForProcesses, call)) return WaitClass::kProcesses;
  // The runtimes of Java and .NET sleep so, too (pthread_cond_timedwait).
  if (has(kForLocks, call)) return wait.timed == true ? WaitClass::kTimedLock : WaitClass::kLock;
  if (has(kForTime, call)) return WaitClass::kSleep;
  if (!wait.target) return WaitClass::kOther;
  if (for_one_socket) return of_socket(*wait.target, listener);
  if (wait.target->type == "pipefs" && has(kThatWrite, call)) return WaitClass::kPipe;
  return WaitClass::kOther;
}

struct Words {
  string_view name;
  string_view words;
};
// By WaitClass.
constexpr std::array<Words, kWaitClasses> kWords = {{
    {"core", "on a core, or ready for one"},
    {"stopped", "stopped"},
    {"frozen", "frozen by its control group"},
    {"connections", "waiting for connections and events"},
    {"processes", "waiting for child processes"},
    {"fuse", "waiting for a file system in user space"},
    {"nfs", "waiting for NFS"},
    {"disk", "waiting for a disk"},
    {"memory", "waiting for memory to be freed"},
    {"lock", "at a lock, or without work"},
    {"timed_lock", "waiting with a timer"},
    {"pipe", "writing into a full pipe"},
    {"client", "waiting for a client"},
    {"peer", "waiting for another server"},
    {"sleep", "sleeping by a timer"},
    {"other", "waiting elsewhere"},
}};

std::size_t index_of(WaitClass what) { return static_cast<std::size_t>(what); }

}  // namespace

std::string_view wait_class_name(WaitClass what) { return kWords.at(index_of(what)).name; }

std::string_view wait_class_words(WaitClass what) { return kWords.at(index_of(what)).words; }

bool is_stopped(string_view state) { return state == "T" || state == "t"; }

bool is_below(const Wait& wait, string_view prefix) {
  return std::ranges::any_of(
      wait.stack, [&](const std::string& function) { return function.starts_with(prefix); });
}

WaitClass classify(const Wait& wait, const facts::Listener& listener) {
  if (is_stopped(wait.state)) return WaitClass::kStopped;
  if (wait.state == "R") return WaitClass::kRuns;
  for (const Below& below : kBelow) {
    if (is_below(wait, below.prefix)) return below.what;
  }
  const auto is_below_any = [&](std::span<const string_view> prefixes) {
    return std::ranges::any_of(prefixes,
                               [&](string_view prefix) { return is_below(wait, prefix); });
  };
  const bool for_data = is_below_any(kForData);
  if (for_data || wait.state == "D") {
    const string_view type = wait.target ? string_view(wait.target->type) : string_view();
    if (is_fuse(type)) return WaitClass::kFuse;
    if (is_nfs(type)) return WaitClass::kNfs;
    if (for_data && (is_on_disk(type) || is_below_any(kOnDisk))) return WaitClass::kBlock;
    // For a page of which nothing says where it comes from.
    if (for_data) return WaitClass::kOther;
  }
  return of_call(wait, listener);
}

}  // namespace acceptq::diagnose
