#include "collect/taken_mutexes.h"

#include <linux/futex.h>

#include <algorithm>
#include <cstdint>

namespace acceptq::collect {
namespace {

constexpr std::uint32_t kWaitedFor = 2;
constexpr std::uint32_t kWaiters = 0x80000000;
constexpr std::uint32_t kAll = 0xffffffff;

std::uint32_t value_of(const ThreadLook& look) {
  return static_cast<std::uint32_t>(look.entry.arguments[2]);
}

bool waits_by(const ThreadLook& look, std::uint32_t operation) {
  return (static_cast<std::uint32_t>(look.entry.arguments[1]) & FUTEX_CMD_MASK) == operation;
}

// Whether the lock is a variable of the function that calls, or of the one before it.
bool is_on_stack(const ThreadLook& look) {
  constexpr std::uint64_t kFrames = 1024;
  const std::uint64_t address = look.entry.arguments[0];
  return address >= look.entry.stack_pointer && address - look.entry.stack_pointer < kFrames;
}

// Processes that were forked share memory at the same address.
bool another_waits_there(const ThreadLook& look, std::span<const ThreadLook> threads) {
  const bool is_shared = (look.entry.arguments[1] & FUTEX_PRIVATE_FLAG) == 0;
  return std::ranges::any_of(threads, [&](const ThreadLook& other) {
    return (other.pid == look.pid || is_shared) && other.tid != look.tid &&
           other.wait.lock == look.wait.lock;
  });
}

// Whether the lock lies in what the C library keeps of another thread: that begins at its thread
// pointer on x86, ends before it elsewhere, and has some 200 bytes.
bool is_of_another_thread(const ThreadLook& look, std::span<const ThreadLook> threads) {
  constexpr std::uint64_t kMost = 512;
  const std::uint64_t lock = look.entry.arguments[0];
  return std::ranges::any_of(threads, [&](const ThreadLook& other) {
    const std::uint64_t pointer = other.thread_pointer;
    return other.pid == look.pid && other.tid != look.tid && pointer != 0 &&
           lock < pointer + kMost && pointer < lock + kMost;
  });
}

// glibc's is at 2 while it is taken and waited for (lll_lock: nptl/lowlevellock.c, 2.3 to 2.41);
// its condition variables, semaphores and joins wait by FUTEX_WAIT_BITSET. Go's runtime's as well
// (mutex_sleeping: runtime/lock_futex.go).
//
// At 2 musl waits in pthread_cond_wait(), for a word on the stack, and in pthread_join(), for a
// word of the other thread (pthread_cond_timedwait.c, pthread_join.c, 1.1 and 1.2).
bool is_glibc_mutex(const ThreadLook& look, std::span<const ThreadLook> threads) {
  if (!waits_by(look, FUTEX_WAIT) || value_of(look) != kWaitedFor || is_on_stack(look)) {
    return false;
  }
  return look.thread_pointer != 0 ? !is_of_another_thread(look, threads)
                                  : another_waits_there(look, threads);
}

// musl's is at EBUSY, its owner or, of a lock for readers and a writer, the number of readers, with
// the highest bit (pthread_mutex_timedlock.c, pthread_rwlock_timedwrlock.c). A semaphore has that
// bit alone, or all.
bool is_musl_mutex(const ThreadLook& look) {
  return waits_by(look, FUTEX_WAIT) && value_of(look) > kWaiters && value_of(look) < kAll;
}

// Rust's is at 2 as well (std/src/sys/sync/mutex/futex.rs, since 1.62). So is a condition variable
// that was notified twice, as those of idle threads are, one for each.
bool is_rust_mutex(const ThreadLook& look, std::span<const ThreadLook> threads) {
  const bool is_timed = look.entry.arguments[3] != 0;
  const bool by_clock = (look.entry.arguments[1] & FUTEX_CLOCK_REALTIME) != 0;
  return waits_by(look, FUTEX_WAIT_BITSET) && value_of(look) == kWaitedFor && !is_timed &&
         !by_clock && another_waits_there(look, threads);
}

}  // namespace

void mark_taken_mutexes(std::span<ThreadLook> threads) {
  for (ThreadLook& look : threads) {
    if (look.wait.syscall != "futex" || !look.wait.lock) continue;
    look.wait.contended =
        is_glibc_mutex(look, threads) || is_musl_mutex(look) || is_rust_mutex(look, threads);
  }
}

}  // namespace acceptq::collect
