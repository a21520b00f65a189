// What a thread was waiting for, by what one look at it shows. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "facts/listener.h"
#include "facts/threads.h"

namespace acceptq::diagnose {

enum class WaitClass : std::uint8_t {
  kRuns,         // on a core, or waits for one
  kStopped,      // by a signal or a debugger
  kFrozen,       // by its control group
  kConnections,  // for something to come: accept(), epoll_wait(), poll(), select()
  kProcesses,    // for children or signals
  kFuse,
  kNfs,
  kBlock,      // a disk, or the page cache in front of it
  kReclaim,    // for memory to be freed
  kLock,       // futex(), a lock of a file, a semaphore
  kTimedLock,  // futex() with a timer: a lock that is given up, work that may come, or just the
               // time
  kPipe,       // to write into a full pipe
  kClient,     // the other end of a connection that this listener took
  kPeer,       // the other end of another socket
  kSleep,      // a timer that it set itself
  kOther,
};
inline constexpr std::size_t kWaitClasses = static_cast<std::size_t>(WaitClass::kOther) + 1;

// "fuse", "timed_lock": for programs.
[[nodiscard]] std::string_view wait_class_name(WaitClass what);
// "waiting for a file system in user space": what a thread was doing, for people.
[[nodiscard]] std::string_view wait_class_words(WaitClass what);

// Whether a thread that is there is free to do something else.
[[nodiscard]] constexpr bool is_idle(WaitClass what) {
  return what == WaitClass::kConnections || what == WaitClass::kProcesses;
}

// At a lock, with a timer or without.
[[nodiscard]] constexpr bool is_lock(WaitClass what) {
  return what == WaitClass::kLock || what == WaitClass::kTimedLock;
}

// Of a thread that accepts for `listener`. A signal outweighs the call that it interrupted, and the
// kernel's functions outweigh the call: a page fault on a file happens in none.
[[nodiscard]] WaitClass classify(const facts::Wait& wait, const facts::Listener& listener);

// Of a thread's state, as in Wait: by a signal or a debugger.
[[nodiscard]] bool is_stopped(std::string_view state);

// Whether a kernel function whose name begins so is on the thread's stack.
[[nodiscard]] bool is_below(const facts::Wait& wait, std::string_view prefix);

}  // namespace acceptq::diagnose
