#include "diagnose/causes/unseen_threads.h"

#include <algorithm>
#include <utility>

#include "diagnose/causes/goroutines.h"
#include "diagnose/causes/idle_loops.h"
#include "diagnose/causes/runtimes.h"
#include "diagnose/causes/taking_turns.h"
#include "diagnose/causes/thread_pools.h"

namespace acceptq::diagnose {
namespace {

using facts::ThreadWatch;

// All of its looks were at locks that no timer ends.
bool waits_for_locks_only(const ThreadWatch& thread) {
  return std::ranges::all_of(thread.waits,
                             [](const facts::Wait& wait) { return wait.timed == false; });
}

// The one thread of which all others are parked; null where there is none.
const ThreadWatch* only_one_not_parked(const Threads& all, const facts::Listener& listener) {
  const ThreadWatch* one = nullptr;
  for (const ThreadWatch* thread : all) {
    if (is_parked(*thread, listener)) continue;
    if (one != nullptr) return nullptr;
    one = thread;
  }
  return one;
}

// A sleep that a lock's timer ends, in which it may be instead of accepting.
bool may_sleep(const ThreadWatch& thread, const facts::Listener& listener) {
  return mostly(thread, listener) == WaitClass::kTimedLock && thread.times.voluntary != 0U &&
         !is_of_runtime(thread.comm);
}

// Threads that wait for clients of the listener and have all the connections that the process has,
// while nobody takes another: whoever is to accept is among them, or waits for them at a lock.
Unseen that_wait_for_clients(const Threads& all, const facts::Listener& listener,
                             const Clues& clues) {
  // One that sleeps between two calls of accept() would have taken a connection by then.
  constexpr std::uint64_t kFewestWakeups = 2;
  if (clues.taken > 0 || clues.is_in_epoll || clues.held.value_or(0) == 0) return {};
  Unseen found{.threads = {}, .certainty = Certainty::kRest, .busy = true};
  for (const ThreadWatch* thread : all) {
    const WaitClass what = mostly(*thread, listener);
    const bool sleeps = what == WaitClass::kSleep || what == WaitClass::kTimedLock;
    if (what == WaitClass::kClient) {
      found.threads.push_back(thread);
    } else if (sleeps ? thread->times.voluntary.value_or(0) < kFewestWakeups
                      : !may_have_nothing_to_do(*thread, listener) &&
                            !waits_for_events_of_a_peer(*thread, listener)) {
      return {};
    }
  }
  return found.threads.size() >= *clues.held ? found : Unseen{};
}

// Beside it, the program itself has at most its first thread, which begins the others and waits,
// and threads that are told of events by others.
bool is_all_of_program(const ThreadWatch& one, const Threads& all,
                       const facts::Listener& listener) {
  return std::ranges::all_of(all, [&](const ThreadWatch* thread) {
    return thread == &one || thread->pid == thread->tid || is_of_runtime(thread->comm) ||
           waits_for_events_of_a_peer(*thread, listener);
  });
}

// No thread waits there for work, or for events.
bool is_never_idle(WaitClass work) {
  return work != WaitClass::kPeer && work != WaitClass::kClient && work != WaitClass::kRuns;
}

}  // namespace

Unseen unseen_threads(const Threads& all, const facts::Listener& listener, const Clues& clues) {
  const auto is_busy = [&](const ThreadWatch* thread) {
    return !may_have_nothing_to_do(*thread, listener);
  };
  if (all.size() == 1) return {all, Certainty::kOnly, is_busy(all.front())};
  const WaitClass first = mostly(*all.front(), listener);
  // Those of a pool without work wait at locks as well, and one that waits there with a timer may
  // just sleep: that all wait for locks says something only where no timer is among them.
  const bool alike = std::ranges::all_of(all, [&](const ThreadWatch* thread) {
    return mostly(*thread, listener) == first &&
           (first != WaitClass::kLock || waits_for_locks_only(*thread));
  });
  // Those that serve in turns are at their common lock most of the time, each.
  const bool serve_in_turns = first == WaitClass::kTimedLock && !that_closed(all).empty();
  if (alike && !serve_in_turns) return {all, Certainty::kOnly, is_busy(all.front())};
  if (Unseen pool = exhausted_pool(all, listener, clues); !pool.threads.empty()) return pool;
  if (Unseen pool = threads_with_clients(all, listener, clues); !pool.threads.empty()) return pool;
  if (Unseen running = goroutines_that_run(all, listener, clues); !running.threads.empty()) {
    return running;
  }
  for (const auto find : {that_take_turns, that_share_a_lock}) {
    if (Unseen group = find(all, listener); !group.threads.empty()) return group;
  }
  if (Unseen pool = pool_behind_the_pool(all, listener, clues); !pool.threads.empty()) return pool;
  if (Unseen group = that_wait_for_clients(all, listener, clues); !group.threads.empty()) {
    return group;
  }
  const ThreadWatch* main = main_thread(all);
  if (main != nullptr && is_busy(main)) return {{main}, Certainty::kMain, true};
  const ThreadWatch* acceptor = acceptor_beside_a_free_pool(all, listener, clues);
  if (acceptor != nullptr && !acceptor->comm.empty() && !collects_garbage(acceptor->comm)) {
    return {{acceptor}, Certainty::kRest, true};
  }
  const ThreadWatch* rest = only_one_not_parked(all, listener);
  if (rest != nullptr && !rest->comm.empty() && !collects_garbage(rest->comm)) {
    // Of a thread that computes while others wait for good, one that accepted was not among them.
    const bool another_may_sleep = std::ranges::any_of(
        all, [&](const ThreadWatch* thread) { return may_sleep(*thread, listener); });
    if (mostly(*rest, listener) == WaitClass::kRuns && clues.taken > 0 && !another_may_sleep) {
      return {{rest}, Certainty::kRest, true};
    }
    // Nobody waits where the event loop waits: this one is elsewhere, or keeps whoever is.
    const auto work = blocked_at_work(*rest, listener);
    const bool nobody_waits = clues.has_event_loop || (clues.has_no_waiter && clues.taken == 0);
    const bool keeps_a_client =
        clues.unanswered.value_or(0) > 0 && work.has_value() && is_never_idle(*work);
    if ((clues.has_event_loop && work.has_value() && is_all_of_program(*rest, all, listener)) ||
        (nobody_waits && keeps_a_client)) {
      return {{rest}, Certainty::kRest, true};
    }
    // The first thread is to serve an event loop, and sleeps instead.
    if (rest == main && mostly(*rest, listener) == WaitClass::kSleep && clues.has_event_loop) {
      return {{rest}, Certainty::kRest, true};
    }
  }
  if (clues.has_no_waiter && clues.taken == 0) {
    if (clues.unanswered == 0U) {
      if (Threads loops = loops_without_requests(all, listener); !loops.empty()) {
        return {std::move(loops), Certainty::kGroup, false};
      }
    }
    for (const auto find : {loops_of_clients, idle_beside_timers}) {
      if (Threads idle = find(all, listener); !idle.empty()) {
        return {std::move(idle), Certainty::kGroup, false};
      }
    }
  }
  Threads group = all;
  std::erase_if(group, [](const ThreadWatch* thread) { return collects_garbage(thread->comm); });
  if (group.empty()) group = all;
  return {group, Certainty::kGroup, std::ranges::any_of(group, is_busy)};
}

}  // namespace acceptq::diagnose
