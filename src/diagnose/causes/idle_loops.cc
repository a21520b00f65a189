#include "diagnose/causes/idle_loops.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>

#include "diagnose/causes/runtimes.h"

namespace acceptq::diagnose {
namespace {

// It was in poll(), select() or an epoll for clients of the listener.
bool polls_clients(const facts::ThreadWatch* thread) {
  double looks = 0;
  for (const facts::Wait& wait : thread->waits) {
    if (wait.polled == facts::Polled::kClients) looks += wait.looks;
  }
  return looks >= kMostOfTime * thread->looks;
}

// Where a thread waits for a lock; a condition variable of glibc has two places, side by side, at
// which its threads wait (__g_signals, nptl/pthread_cond_wait.c).
std::optional<std::uint64_t> place_of_lock(const facts::ThreadWatch& thread) {
  constexpr std::uint64_t kBoth = 8;
  if (thread.waits.empty() || !thread.waits.front().lock) return std::nullopt;
  return *thread.waits.front().lock / kBoth;
}

// Each waits where another does, as the threads of a pool do for work. One that waits alone may be
// the one that accepts, for a place for the next connection.
bool are_pools(const Threads& at_locks) {
  std::map<std::uint64_t, int> threads;
  for (const facts::ThreadWatch* thread : at_locks) {
    const auto place = place_of_lock(*thread);
    if (!place) return false;
    ++threads[*place];
  }
  return std::ranges::all_of(threads, [](const auto& place) { return place.second > 1; });
}

bool waits_at_a_latch(const facts::ThreadWatch* thread, const facts::Listener& listener) {
  return mostly(*thread, listener) == WaitClass::kLock && is_parked(*thread, listener) &&
         thread->pid != thread->tid && !is_of_runtime(thread->comm);
}

}  // namespace

Threads idle_beside_timers(const Threads& all, const facts::Listener& listener) {
  Threads idle;
  bool has_loop = false;
  for (const facts::ThreadWatch* thread : all) {
    const WaitClass what = mostly(*thread, listener);
    if (what == WaitClass::kTimedLock && thread->times.voluntary == 0U) continue;
    if (!is_idle(what)) return {};
    has_loop = has_loop || what == WaitClass::kConnections;
    idle.push_back(thread);
  }
  return has_loop ? idle : Threads();
}

Threads loops_of_clients(const Threads& all, const facts::Listener& listener) {
  Threads loops;
  for (const facts::ThreadWatch* thread : all) {
    if (!is_parked(*thread, listener)) return {};
    // It may sleep on behalf of a client, for longer than the watch.
    if (mostly(*thread, listener) == WaitClass::kTimedLock && !is_of_runtime(thread->comm)) {
      return {};
    }
    if (polls_clients(thread)) loops.push_back(thread);
  }
  return loops;
}

Threads loops_without_requests(const Threads& all, const facts::Listener& listener) {
  constexpr std::uint64_t kFewestNaps = 2;
  Threads loops;
  Threads at_locks;
  for (const facts::ThreadWatch* thread : all) {
    switch (mostly(*thread, listener)) {
      case WaitClass::kConnections:
        loops.push_back(thread);
        break;
      case WaitClass::kSleep:
      case WaitClass::kTimedLock:
        if (thread->times.voluntary.value_or(0) < kFewestNaps && !is_of_runtime(thread->comm)) {
          return {};
        }
        break;
      case WaitClass::kProcesses:
        break;
      case WaitClass::kLock:
        at_locks.push_back(thread);
        [[fallthrough]];
      default:
        if (!is_parked(*thread, listener)) return {};
    }
  }
  return std::ranges::any_of(loops, polls_clients) || are_pools(at_locks) ? loops : Threads();
}

Threads loops_of_clients_beside_a_latch(const Threads& all, const facts::Listener& listener) {
  Threads loops;
  bool has_latch = false;
  for (const facts::ThreadWatch* thread : all) {
    const auto work = blocked_at_work(*thread, listener);
    if (work && work != WaitClass::kRuns) return {};
    has_latch = has_latch || waits_at_a_latch(thread, listener);
    if (polls_clients(thread)) loops.push_back(thread);
  }
  return has_latch ? loops : Threads();
}

}  // namespace acceptq::diagnose
