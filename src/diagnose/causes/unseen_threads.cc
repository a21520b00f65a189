#include "diagnose/causes/unseen_threads.h"

#include <algorithm>
#include <array>
#include <iterator>
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
                      : !is_beside_the_work(*thread, listener)) {
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

bool is_busy(const ThreadWatch* thread, const facts::Listener& listener) {
  return !may_have_nothing_to_do(*thread, listener);
}

// It runs what the program does: of one whose name is not known it may be the runtime's.
bool is_of_program(const ThreadWatch* thread) {
  return thread != nullptr && !thread->comm.empty() && !collects_garbage(thread->comm);
}

// All of its threads do one thing. Those of a pool without work wait at locks as well, and one that
// waits there with a timer may just sleep: that all wait for locks says something only where no
// timer is among them.
Unseen all_alike(const Threads& all, const facts::Listener& listener, const Clues& /*clues*/) {
  const WaitClass first = mostly(*all.front(), listener);
  const bool alike = std::ranges::all_of(all, [&](const ThreadWatch* thread) {
    return mostly(*thread, listener) == first &&
           (first != WaitClass::kLock || waits_for_locks_only(*thread));
  });
  // Those that serve in turns are at their common lock most of the time, each.
  const bool serve_in_turns = first == WaitClass::kTimedLock && !that_closed(all).empty();
  if (all.size() > 1 && (!alike || serve_in_turns)) return {};
  return {all, Certainty::kOnly, is_busy(all.front(), listener)};
}

Unseen a_busy_main_thread(const Threads& all, const facts::Listener& listener,
                          const Clues& /*clues*/) {
  const ThreadWatch* main = main_thread(all);
  if (main == nullptr || !is_busy(main, listener)) return {};
  return {{main}, Certainty::kMain, true};
}

Unseen the_acceptor_of_a_free_pool(const Threads& all, const facts::Listener& listener,
                                   const Clues& clues) {
  const ThreadWatch* acceptor = acceptor_beside_a_free_pool(all, listener, clues);
  if (!is_of_program(acceptor)) return {};
  return {{acceptor}, Certainty::kRest, true};
}

// Beside threads that have nothing to do, or to serve, one sleeps for each connection.
Unseen the_one_that_sleeps_for_each(const Threads& all, const facts::Listener& listener,
                                    const Clues& clues) {
  Unseen found{.threads = {}, .certainty = Certainty::kRest, .busy = true};
  for (const ThreadWatch* thread : all) {
    if (sleeps_for_each(*thread, listener, clues.taken)) {
      found.threads.push_back(thread);
    } else if (!is_beside_the_work(*thread, listener)) {
      return {};
    }
  }
  return found.threads.size() == 1 ? found : Unseen{};
}

Unseen the_one_that_is_not_parked(const Threads& all, const facts::Listener& listener,
                                  const Clues& clues) {
  const ThreadWatch* rest = only_one_not_parked(all, listener);
  if (!is_of_program(rest)) return {};
  Unseen found{{rest}, Certainty::kRest, true};
  const WaitClass what = mostly(*rest, listener);
  // Of a thread that computes while others wait for good, one that accepted was not among them.
  const bool another_may_sleep = std::ranges::any_of(
      all, [&](const ThreadWatch* thread) { return may_sleep(*thread, listener); });
  if (what == WaitClass::kRuns && clues.taken > 0 && !another_may_sleep) return found;
  // Nobody waits where the event loop waits: this one is elsewhere, or keeps whoever is.
  if (const auto work = blocked_at_work(*rest, listener)) {
    const bool nobody_waits = clues.has_event_loop || (clues.has_no_waiter && clues.taken == 0);
    const bool keeps_a_client = clues.unanswered.value_or(0) > 0 && is_never_idle(*work);
    if (clues.has_event_loop && is_all_of_program(*rest, all, listener)) return found;
    if (nobody_waits && keeps_a_client) return found;
  }
  // The first thread is to serve an event loop, and sleeps instead.
  const bool sleeps = rest == main_thread(all) && what == WaitClass::kSleep;
  return sleeps && clues.has_event_loop ? found : Unseen{};
}

Unseen loops_that_do_not_accept(const Threads& all, const facts::Listener& listener,
                                const Clues& clues) {
  if (!clues.has_no_waiter || clues.taken > 0) return {};
  Threads loops;
  if (clues.unanswered == 0U) loops = loops_without_requests(all, listener);
  if (loops.empty()) loops = loops_of_clients(all, listener);
  if (loops.empty()) loops = idle_beside_timers(all, listener);
  // Fewer may be as many as before by chance.
  constexpr std::uint32_t kMany = 8;
  if (loops.empty() && clues.unanswered == 0U && clues.held_steadily &&
      clues.held.value_or(0) >= kMany) {
    loops = loops_of_clients_beside_a_latch(all, listener);
  }
  return {std::move(loops), Certainty::kGroup, false};
}

// What accepts is known by the scheduler's events alone.
Unseen the_one_that_was_counted_in_accept(const Threads& all, const facts::Listener& listener,
                                          const Clues& clues) {
  Unseen found{.threads = {}, .certainty = Certainty::kRest, .busy = true};
  std::ranges::copy_if(all, std::back_inserter(found.threads),
                       [](const ThreadWatch* thread) { return was_counted_in_accept(*thread); });
  const bool is_known = clues.is_only && found.threads.size() == 1 &&
                        !may_wait_for_room(found.threads, all, listener, clues);
  return is_known ? found : Unseen{};
}

// By the order in which they are asked: the first that finds any.
constexpr std::array kFinders = {all_alike,
                                 exhausted_pool,
                                 threads_with_clients,
                                 goroutines_that_run,
                                 that_log_in_turns,
                                 that_take_turns,
                                 that_wait_for_one_with_the_turn,
                                 that_share_a_lock,
                                 that_serve_under_a_lock,
                                 pool_behind_the_pool,
                                 pool_that_waits_for_itself,
                                 that_wait_for_clients,
                                 a_busy_main_thread,
                                 the_acceptor_of_a_free_pool,
                                 the_one_that_is_not_parked,
                                 the_one_that_sleeps_for_each,
                                 loops_that_do_not_accept,
                                 the_one_that_was_counted_in_accept};

}  // namespace

Unseen unseen_threads(const Threads& all, const facts::Listener& listener, const Clues& clues) {
  for (const auto find : kFinders) {
    if (Unseen found = find(all, listener, clues); !found.threads.empty()) return found;
  }
  Threads group = all;
  std::erase_if(group, [](const ThreadWatch* thread) { return collects_garbage(thread->comm); });
  if (group.empty()) group = all;
  return {group, Certainty::kGroup, std::ranges::any_of(group, [&](const ThreadWatch* thread) {
            return is_busy(thread, listener);
          })};
}

}  // namespace acceptq::diagnose
