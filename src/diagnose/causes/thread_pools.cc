#include "diagnose/causes/thread_pools.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <utility>

#include "diagnose/causes/runtimes.h"
#include "diagnose/causes/taking_turns.h"

namespace acceptq::diagnose {
namespace {

using facts::ThreadWatch;

ClassShares mean_at_work(const Threads& threads, const facts::Listener& listener) {
  ClassShares mean{};
  for (const ThreadWatch* thread : threads) {
    const ClassShares shares = shares_at_work(*thread, listener);
    for (std::size_t i = 0; i < kWaitClasses; ++i) {
      mean.at(i) += shares.at(i) / static_cast<double>(threads.size());
    }
  }
  return mean;
}

// Those that serve connections do one thing, and no time of theirs is left.
Unseen pool_that_serves(const Threads& closers, const Threads& all,
                        const facts::Listener& listener) {
  const ClassShares shares = mean_at_work(closers, listener);
  constexpr double kAlmostAll = 0.8;  // of several kinds of work
  double work = 0;
  for (std::size_t i = 0; i < kWaitClasses; ++i) {
    if (!is_at_work(static_cast<WaitClass>(i))) continue;
    work += shares.at(i);
    if (shares.at(i) >= kMostOfTime) return {closers, Certainty::kServe, true};
  }
  if (work >= kAlmostAll) return {closers, Certainty::kServe, true};
  // Whoever begins a thread for each connection waits for its turn among them.
  Threads turning = closers;
  const ThreadWatch* main = main_thread(all);
  if (main != nullptr && !has_closed(*main) && moves_often(*main)) turning.push_back(main);
  if (take_turns(turning, longest_watch(all), listener)) {
    return {turning, Certainty::kServe, true, true};
  }
  return {};
}

// There are about as many clients that wait for an answer: each thread has one of these.
bool has_a_client_each(const Threads& threads, const Clues& clues) {
  const std::uint64_t wait = clues.unanswered.value_or(0);
  return threads.size() <= wait && threads.size() * 5 >= wait * 4;
}

// There are more clients than these threads and whoever accepts have, and several of the threads
// have one, who is to say something: the others wait for a thread.
bool leave_clients_waiting(const Threads& threads, const facts::Listener& listener,
                           const Clues& clues) {
  const auto at_clients = std::ranges::count_if(threads, [&](const ThreadWatch* thread) {
    return mostly(*thread, listener) == WaitClass::kClient;
  });
  return at_clients > 1 && clues.unanswered.value_or(0) > threads.size() + 1;
}

// Most of them wait for one mutex, and have clients.
bool are_at_one_mutex(const Threads& threads, const Clues& clues) {
  constexpr std::size_t kFewest = 3;
  std::map<std::uint64_t, std::size_t> waiting;
  for (const ThreadWatch* thread : threads) {
    const facts::Wait& wait = thread->waits.front();
    if (waits_for_mutex(*thread) && wait.lock) ++waiting[*wait.lock];
  }
  return std::ranges::any_of(waiting, [&](const auto& each) {
    const std::size_t count = each.second;
    return count >= kFewest && count * 4 >= threads.size() * 3 &&
           clues.unanswered.value_or(0) >= count;
  });
}

// More wait for other servers than clients are known to wait for answers: some of them do it for
// their own sake, and nothing tells which. Where clients are not known, a first thread that asks
// may be the one that accepts.
void leave_out_who_asks_for_itself(Threads& threads, const facts::Listener& listener,
                                   const Clues& clues) {
  const auto asks = [&](const ThreadWatch* thread) {
    return mostly(*thread, listener) == WaitClass::kPeer;
  };
  const ThreadWatch* main = main_thread(threads);
  if (!clues.unanswered && main != nullptr && asks(main)) return;
  const auto asking = static_cast<std::uint64_t>(std::ranges::count_if(threads, asks));
  if (asking * 4 > clues.unanswered.value_or(0) * std::uint64_t{5}) {
    std::erase_if(threads, asks);
  }
}

// How many wait for a mutex.
std::ptrdiff_t at_mutexes(const Threads& all) {
  return std::ranges::count_if(all,
                               [](const ThreadWatch* thread) { return waits_for_mutex(*thread); });
}

// Connections are taken, and there are fewer clients to serve than threads that wait for a mutex:
// some of these wait for work there, behind the one that waits for it with the mutex.
bool wait_for_work_at_mutex(const Threads& all, const Clues& clues) {
  return clues.taken > 0 && clues.unanswered && std::cmp_less(*clues.unanswered, at_mutexes(all));
}

// Several wait for the same kind of thing, or for a mutex that one of these may have, or have a
// client each, and the others have nothing to do. Where connections are taken all the same, they
// are not those that serve them unless they go on.
Unseen pool_that_hangs(const Threads& all, const facts::Listener& listener, const Clues& clues) {
  Unseen pool;
  const bool is_for_work = wait_for_work_at_mutex(all, clues);
  for (const ThreadWatch* thread : all) {
    if (is_for_work && waits_for_mutex(*thread)) continue;
    if (blocked_at_work(*thread, listener)) {
      pool.threads.push_back(thread);
    } else if (!is_beside_the_work(*thread, listener)) {
      return {};
    }
  }
  leave_out_who_asks_for_itself(pool.threads, listener, clues);
  std::optional<WaitClass> work;
  bool is_mixed = false;
  std::uint64_t turns = 0;
  for (const ThreadWatch* thread : pool.threads) {
    const WaitClass what = mostly(*thread, listener);
    if (!waits_for_mutex(*thread)) {
      is_mixed = is_mixed || (work && work != what);
      work = what;
    }
    turns += turns_of(*thread);
  }
  if (is_mixed && !has_a_client_each(pool.threads, clues) &&
      !leave_clients_waiting(pool.threads, listener, clues) &&
      !are_at_one_mutex(pool.threads, clues)) {
    return {};
  }
  if (clues.taken > 0 && work != WaitClass::kRuns && !keep_pace(turns, clues.taken)) return {};
  // One or two that compute may do so beside whoever accepts.
  const std::size_t fewest = work == WaitClass::kRuns ? 3 : 2;
  if (pool.threads.size() < fewest) return {};
  pool.busy = true;
  return pool;
}

// Whether those that serve connections wait for work, or for others to do it, most of the time.
bool is_free(const Threads& closers, const facts::Listener& listener) {
  const ClassShares shares = mean_at_work(closers, listener);
  return idle_share(shares) + lock_share(shares) >= kMostOfTime;
}

}  // namespace

bool are_about_as_many(std::uint32_t some, std::uint32_t others) {
  return some * 5 >= others * 4 && some * 4 <= others * 5;
}

bool asks_for_each(std::uint32_t asked, std::uint32_t waiting) {
  constexpr std::uint32_t kFewest = 3;
  return asked >= kFewest && are_about_as_many(asked, waiting);
}

Unseen exhausted_pool(const Threads& all, const facts::Listener& listener, const Clues& clues) {
  const Threads closers = that_closed(all);
  return closers.empty() ? pool_that_hangs(all, listener, clues)
                         : pool_that_serves(closers, all, listener);
}

bool may_wait_for_room(const Threads& accepting, const Threads& all,
                       const facts::Listener& listener, const Clues& clues) {
  const std::size_t serving = that_closed(all).size();
  const bool is_at_condition = std::ranges::all_of(accepting, [&](const ThreadWatch* thread) {
    return mostly(*thread, listener) == WaitClass::kLock && !waits_for_taken_lock(*thread);
  });
  return is_at_condition && serving > 0 &&
         (!clues.unanswered || *clues.unanswered > serving + accepting.size());
}

Unseen threads_with_clients(const Threads& all, const facts::Listener& listener,
                            const Clues& clues) {
  constexpr std::uint32_t kFewest = 3;
  if (clues.taken > 0 || clues.unanswered.value_or(0) < kFewest) return {};
  Threads blocked;
  Threads at_locks;
  for (const ThreadWatch* thread : all) {
    const auto what = blocked_at_work(*thread, listener);
    const bool is_at_lock = mostly(*thread, listener) == WaitClass::kLock &&
                            thread->pid != thread->tid && !is_of_runtime(thread->comm);
    if (what == WaitClass::kRuns) return {};
    if (what && !waits_for_mutex(*thread)) {
      blocked.push_back(thread);
    } else if (is_at_lock) {
      at_locks.push_back(thread);
    } else if (!is_beside_the_work(*thread, listener)) {
      return {};
    }
  }
  Threads both = blocked;
  both.insert(both.end(), at_locks.begin(), at_locks.end());
  if (at_locks.empty() || !has_a_client_each(both, clues)) return {};
  return {blocked.empty() ? at_locks : blocked, Certainty::kServe, true};
}

Unseen pool_behind_the_pool(const Threads& all, const facts::Listener& listener,
                            const Clues& clues) {
  const Threads closers = that_closed(all);
  if (closers.empty() || clues.is_in_epoll || !is_free(closers, listener)) return {};
  Unseen pool{.threads = {}, .certainty = Certainty::kRest, .busy = true};
  std::optional<WaitClass> work;
  std::uint64_t turns = 0;
  for (const ThreadWatch* thread : all) {
    if (has_closed(*thread)) continue;
    const auto what = blocked_at_work(*thread, listener);
    if (!what) {
      if (!may_have_nothing_to_do(*thread, listener)) return {};
      continue;
    }
    if (what == WaitClass::kRuns || (work && work != what)) return {};
    work = what;
    turns += turns_of(*thread);
    pool.threads.push_back(thread);
  }
  return pool.threads.size() > 1 && keep_pace(turns, clues.taken) ? pool : Unseen{};
}

Unseen pool_that_waits_for_itself(const Threads& all, const facts::Listener& listener,
                                  const Clues& clues) {
  const Threads closers = that_closed(all);
  if (closers.empty() || at_mutexes(all) > 0) return {};
  Unseen pool = pool_that_hangs(all, listener, clues);
  std::size_t hang = 0;
  for (const ThreadWatch* thread : closers) {
    if (std::ranges::find(pool.threads, thread) != pool.threads.end()) {
      ++hang;
    } else if (!is_lock(mostly(*thread, listener))) {
      return {};
    }
  }
  const bool ask = std::ranges::all_of(pool.threads, [&](const ThreadWatch* thread) {
    return mostly(*thread, listener) == WaitClass::kPeer;
  });
  const bool for_all = ask && asks_for_each(clues.asked.value_or(0), clues.unanswered.value_or(0));
  return hang > 1 && (for_all || hang * 2 >= closers.size()) ? pool : Unseen{};
}

const ThreadWatch* acceptor_beside_a_free_pool(const Threads& all, const facts::Listener& listener,
                                               const Clues& clues) {
  const Threads closers = that_closed(all);
  if (closers.empty() || clues.is_in_epoll || !is_free(closers, listener)) return nullptr;
  const ThreadWatch* one = nullptr;
  for (const ThreadWatch* thread : all) {
    if (has_closed(*thread) || is_parked(*thread, listener)) continue;
    if (one != nullptr) return nullptr;
    one = thread;
  }
  if (one == nullptr || !is_at_work(mostly(*one, listener))) return nullptr;
  // It computes beside one that may sleep after each connection that it takes, as Java sleeps.
  const bool another_sleeps = std::ranges::any_of(all, [&](const ThreadWatch* thread) {
    return !has_closed(*thread) && may_sleep(*thread, listener) &&
           keep_pace(turns_of(*thread), clues.taken);
  });
  if (another_sleeps && mostly(*one, listener) == WaitClass::kRuns) return nullptr;
  return keep_pace(turns_of(*one), clues.taken) ? one : nullptr;
}

}  // namespace acceptq::diagnose
