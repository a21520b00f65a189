#include "collect/taken_mutexes.h"

#include <linux/futex.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <utility>

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

// What the threads of all processes that were looked at have in common.
class Company {
 public:
  explicit Company(std::span<const ThreadLook> threads) {
    for (const ThreadLook& look : threads) {
      if (look.wait.lock) ++waiting_[{owner_of(look), *look.wait.lock}];
      if (look.thread_pointer != 0) pointers_.insert({look.pid, look.thread_pointer});
    }
  }

  // Another thread waits at the same lock.
  [[nodiscard]] bool waits_there(const ThreadLook& look) const {
    const auto found = waiting_.find({owner_of(look), *look.wait.lock});
    return found != waiting_.end() && found->second > 1;
  }

  // The lock lies in what the C library keeps of another thread: that begins at its thread pointer
  // on x86, ends before it elsewhere, and has some 200 bytes.
  [[nodiscard]] bool has_as_its_own(const ThreadLook& look) const {
    constexpr std::uint64_t kMost = 512;
    const std::uint64_t lock = *look.wait.lock;
    for (auto it = pointers_.lower_bound({look.pid, lock - std::min(lock, kMost)});
         it != pointers_.end() && it->first == look.pid && it->second < lock + kMost; ++it) {
      if (it->second != look.thread_pointer) return true;
    }
    return false;
  }

 private:
  // Processes that were forked share memory at the same address.
  static Pid owner_of(const ThreadLook& look) {
    const bool is_private = (look.entry.arguments[1] & FUTEX_PRIVATE_FLAG) != 0;
    return is_private ? look.pid : Pid();
  }

  std::map<std::pair<Pid, std::uint64_t>, int> waiting_;
  std::set<std::pair<Pid, std::uint64_t>> pointers_;
};

// glibc's is at 2 while it is taken and waited for (lll_lock: nptl/lowlevellock.c, 2.3 to 2.41);
// its condition variables, semaphores and joins wait by FUTEX_WAIT_BITSET. Go's runtime's as well
// (mutex_sleeping: runtime/lock_futex.go).
//
// At 2 musl waits in pthread_cond_wait(), for a word on the stack, and in pthread_join(), for a
// word of the other thread (pthread_cond_timedwait.c, pthread_join.c, 1.1 and 1.2).
bool is_glibc_mutex(const ThreadLook& look, const Company& company) {
  if (!waits_by(look, FUTEX_WAIT) || value_of(look) != kWaitedFor || is_on_stack(look)) {
    return false;
  }
  return look.thread_pointer != 0 ? !company.has_as_its_own(look) : company.waits_there(look);
}

// musl's is at EBUSY, its owner or, of a lock for readers and a writer, the number of readers, with
// the highest bit (pthread_mutex_timedlock.c, pthread_rwlock_timedwrlock.c). A semaphore has that
// bit alone, or all.
bool is_musl_mutex(const ThreadLook& look) {
  return waits_by(look, FUTEX_WAIT) && value_of(look) > kWaiters && value_of(look) < kAll;
}

// Rust's is at 2 as well (std/src/sys/sync/mutex/futex.rs, since 1.62). So is a condition variable
// that was notified twice, as those of idle threads are, one for each.
bool is_rust_mutex(const ThreadLook& look, const Company& company) {
  const bool is_timed = look.entry.arguments[3] != 0;
  const bool by_clock = (look.entry.arguments[1] & FUTEX_CLOCK_REALTIME) != 0;
  return waits_by(look, FUTEX_WAIT_BITSET) && value_of(look) == kWaitedFor && !is_timed &&
         !by_clock && company.waits_there(look);
}

}  // namespace

void mark_taken_mutexes(std::span<ThreadLook> threads) {
  const Company company(threads);
  for (ThreadLook& look : threads) {
    if (look.wait.syscall != "futex" || !look.wait.lock) continue;
    look.wait.contended =
        is_glibc_mutex(look, company) || is_musl_mutex(look) || is_rust_mutex(look, company);
  }
}

}  // namespace acceptq::collect
