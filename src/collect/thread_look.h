// What one look at the threads of some processes tells; by a BPF iterator or from /proc, which give
// the same facts.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/units.h"
#include "collect/syscalls.h"
#include "facts/threads.h"

namespace acceptq::collect {

// A process to look at, and the descriptors of listeners in it that it is looked at for.
struct WatchedProcess {
  Pid pid;
  std::vector<std::int32_t> listener_fds;
  // No thread of it waited for the listener before, or one waited in poll(), select() or an epoll
  // for something else: each of its descriptors is looked at, for what that is, and for
  // connections.
  bool wants_descriptors = false;
};

// What a thread waits for among others.
struct PolledLook {
  std::int32_t fd = -1;
  facts::FileTarget target;
  std::int32_t client_of = -1;  // the descriptor of a listener whose connection it may be, or none
  bool is_asking = false;       // of a connection: an answer is due, as far as is known
};

// One thread at one moment.
struct ThreadLook {
  Pid pid;
  Pid tid;
  std::string comm;
  facts::Wait wait;  // with `looks` 1; without `target` where it is not a descriptor's call
  // What else than a listener it waits for in poll(), select() or by an epoll: sockets, and pipes
  // to read from; empty where not all of its process's descriptors were looked at.
  std::optional<std::vector<PolledLook>> polled;
  facts::ThreadTimes times;  // since the thread began
  // By the iterator: the kernel's own number of it (that of the first PID namespace), and whether
  // it was on a core.
  std::optional<std::uint32_t> kernel_tid;
  bool on_core = false;
  CallEntry entry;  // of `wait`'s call
  // By the iterator: where the C library has what it keeps of the thread (fs on x86, TPIDR_EL0 on
  // arm64); 0: unknown.
  std::uint64_t thread_pointer = 0;
};

// Where one thread's time went, as far as the scheduler's events tell.
struct ThreadTime {
  Pid pid;
  Pid tid;
  facts::ExactTime time;
  // What looks have to place: it did not move at all, or until it was woken for the first time.
  // Both are part of `counted_ns`.
  std::uint64_t unmoved_ns = 0;
  std::uint64_t first_blocked_ns = 0;
  // Connections that it closed, by local port; empty where that was not counted.
  std::optional<std::map<std::uint16_t, std::uint64_t>> closed;
};

// Who waited for a listener at one moment, by the listener's own wait queue.
struct WaiterLook {
  Pid pid;  // whose descriptor was given
  std::int32_t fd = -1;
  std::uint32_t epolls = 0;  // that hold it
  // Threads that waited, by the strongest link of each; by thread.
  struct Waiter {
    Pid tid;
    facts::AcceptLink link = facts::AcceptLink::kAccept;
  };
  std::vector<Waiter> waiters;
};

// The connections of each of its listeners that a process has open, by the listener's descriptor.
struct HeldLook {
  Pid pid;
  std::map<std::int32_t, facts::HeldConnections> connections;
};

struct ThreadsSeen {
  std::vector<ThreadLook> threads;    // by process and thread
  std::vector<WaiterLook> listeners;  // empty where wait queues cannot be read (/proc)
  std::vector<HeldLook> held;         // of processes whose descriptors were all looked at
  std::uint32_t left_out = 0;         // threads that there were too many of
  std::int64_t cost_ns = 0;           // that it is charged with
};

}  // namespace acceptq::collect
