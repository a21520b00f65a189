#include "diagnose/causes/unseen_threads.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include "diagnose/causes/runtimes.h"

namespace acceptq::diagnose {
namespace {

using facts::ThreadWatch;

// What a thread did most of the time.
WaitClass mostly(const ThreadWatch& thread, const facts::Listener& listener) {
  const ClassShares shares = class_shares(thread, listener);
  return static_cast<WaitClass>(std::ranges::max_element(shares) - shares.begin());
}

// A thread that is told what to do by a pipe, as the first one of a process often is.
bool reads_a_pipe(const ThreadWatch& thread) {
  if (thread.waits.empty()) return false;
  const facts::Wait& wait = thread.waits.front();
  return wait.polled == facts::Polled::kPipes ||
         (wait.state == "S" && wait.target && wait.target->type == "pipefs");
}

// In a place that a thread without anything to do is in as well. In a pool, those wait at a lock
// until there is work.
bool may_have_nothing_to_do(const ThreadWatch& thread, const facts::Listener& listener) {
  const WaitClass what = mostly(thread, listener);
  return is_idle(what) || what == WaitClass::kLock || what == WaitClass::kTimedLock ||
         what == WaitClass::kSleep || (what == WaitClass::kOther && reads_a_pipe(thread));
}

// It waits where those wait that have nothing to do, and was not woken: it is not at work.
bool is_parked(const ThreadWatch& thread, const facts::Listener& listener) {
  switch (mostly(thread, listener)) {
    case WaitClass::kConnections:
    case WaitClass::kTimedLock:
      return true;
    case WaitClass::kLock:
      return thread.times.voluntary == 0U;
    default:
      return false;
  }
}

// All of its looks were at locks that no timer ends.
bool waits_for_locks_only(const ThreadWatch& thread) {
  return std::ranges::all_of(thread.waits,
                             [](const facts::Wait& wait) { return wait.timed == false; });
}

const ThreadWatch* main_thread(const Threads& threads) {
  const auto it = std::ranges::find_if(
      threads, [](const ThreadWatch* thread) { return thread->pid == thread->tid; });
  return it != threads.end() ? *it : nullptr;
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

constexpr double kMostly = 0.6;

// What a thread is at that has something to do; locks in memory are where others wait for it.
bool is_at_work(WaitClass what) {
  switch (what) {
    case WaitClass::kRuns:
    case WaitClass::kFuse:
    case WaitClass::kNfs:
    case WaitClass::kBlock:
    case WaitClass::kReclaim:
    case WaitClass::kPipe:
    case WaitClass::kClient:
    case WaitClass::kPeer:
    case WaitClass::kSleep:
      return true;
    default:
      return false;
  }
}

bool is_for_file_lock(const ThreadWatch& thread) {
  if (thread.waits.empty()) return false;
  const auto& call = thread.waits.front().syscall;
  return call == "flock" || call == "fcntl";
}

bool has_closed(const ThreadWatch& thread) { return thread.closed.value_or(0) > 0; }

// Work that a thread of no server is seldom in for long.
std::optional<WaitClass> blocked_at_work(const ThreadWatch& thread,
                                         const facts::Listener& listener) {
  const WaitClass what = mostly(thread, listener);
  const double share = class_shares(thread, listener).at(static_cast<std::size_t>(what));
  const bool is_collector = thread.comm.empty() || collects_garbage(thread.comm);
  const bool tells = what == WaitClass::kLock   ? is_for_file_lock(thread)
                     : what == WaitClass::kRuns ? !is_collector
                                                : is_at_work(what) && what != WaitClass::kSleep;
  if (!tells || share < kMostly) return std::nullopt;
  return what;
}

Threads that_closed(const Threads& all) {
  Threads closers;
  std::ranges::copy_if(all, std::back_inserter(closers),
                       [](const ThreadWatch* thread) { return has_closed(*thread); });
  return closers;
}

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

// One of them runs at a time, and the others wait until they may: together they fill one core.
bool take_turns(const Threads& threads, const facts::Listener& listener) {
  constexpr double kAll = 0.9;
  constexpr double kLeast = 0.8;
  constexpr double kMost = 1.3;
  double run = 0;
  for (const ThreadWatch* thread : threads) {
    const ClassShares shares = class_shares(*thread, listener);
    const double runs = shares.at(static_cast<std::size_t>(WaitClass::kRuns));
    const double waits = shares.at(static_cast<std::size_t>(WaitClass::kLock)) +
                         shares.at(static_cast<std::size_t>(WaitClass::kTimedLock));
    if (runs + waits < kAll) return false;
    run += runs;
  }
  return threads.size() > 1 && run >= kLeast && run <= kMost;
}

double per_second(const std::optional<std::uint64_t>& count, const ThreadWatch& thread) {
  constexpr double kNsPerSecond = 1e9;
  if (!count || thread.watched_ns <= 0) return 0;
  return static_cast<double>(*count) * kNsPerSecond / static_cast<double>(thread.watched_ns);
}

// Threads of which one runs at a time, handing on what lets it run many times a second, as under an
// interpreter's lock. Those beside them have nothing to do.
Unseen that_take_turns(const Threads& all, const facts::Listener& listener) {
  constexpr double kOften = 30;  // times a second
  Threads turning;
  bool one_waits = false;
  for (const ThreadWatch* thread : all) {
    const WaitClass what = mostly(*thread, listener);
    const bool waits = what == WaitClass::kLock || what == WaitClass::kTimedLock;
    if (what == WaitClass::kRuns ||
        (waits && per_second(thread->times.voluntary, *thread) >= kOften)) {
      turning.push_back(thread);
      one_waits = one_waits || waits;
    } else if (!may_have_nothing_to_do(*thread, listener)) {
      return {};
    }
  }
  const ThreadWatch* main = main_thread(turning);
  if (main == nullptr || !one_waits || !take_turns(turning, listener)) return {};
  return {turning, Certainty::kRest, true, true};
}

// The addresses of futexes at which it was seen to wait without a timer.
std::set<std::uint64_t> locks_of(const ThreadWatch& thread) {
  std::set<std::uint64_t> locks;
  for (const facts::Wait& wait : thread.waits) {
    if (wait.lock && wait.timed == false) locks.insert(*wait.lock);
  }
  return locks;
}

// The share of its time at work, on a core or not.
double share_at_work(const ThreadWatch& thread, const facts::Listener& listener) {
  const ClassShares shares = class_shares(thread, listener);
  double share = 0;
  for (std::size_t i = 0; i < kWaitClasses; ++i) {
    if (is_at_work(static_cast<WaitClass>(i))) share += shares.at(i);
  }
  return share;
}

// Threads that hand one lock around and work while they have it, where nobody else can have given
// them work: all but a first thread that never moved.
Unseen that_share_a_lock(const Threads& all, const facts::Listener& listener) {
  constexpr std::size_t kFewest = 3;
  constexpr double kWorks = 0.02;
  constexpr double kAll = 0.9;
  Threads sharing;
  std::set<std::uint64_t> common;
  std::size_t work = 0;
  for (const ThreadWatch* thread : all) {
    if (thread->pid == thread->tid && thread->times.voluntary == 0U) continue;
    const std::set<std::uint64_t> locks = locks_of(*thread);
    const double works = share_at_work(*thread, listener);
    const double waits =
        class_shares(*thread, listener).at(static_cast<std::size_t>(WaitClass::kLock));
    if (sharing.empty()) common = locks;
    std::erase_if(common, [&](std::uint64_t lock) { return !locks.contains(lock); });
    if (common.empty() || works + waits < kAll) return {};
    if (works >= kWorks || has_closed(*thread)) ++work;
    sharing.push_back(thread);
  }
  if (sharing.size() < kFewest || work < 2) return {};
  return {sharing, Certainty::kOnly, true};
}

// Those that serve connections do one thing, and no time of theirs is left.
Unseen pool_that_serves(const Threads& closers, const facts::Listener& listener) {
  const ClassShares shares = mean_at_work(closers, listener);
  for (std::size_t i = 0; i < kWaitClasses; ++i) {
    if (shares.at(i) < kMostly || !is_at_work(static_cast<WaitClass>(i))) continue;
    return {closers, Certainty::kServe, true};
  }
  if (take_turns(closers, listener)) return {closers, Certainty::kServe, true, true};
  return {};
}

// Several wait for the same kind of thing, and the others have nothing to do.
Unseen pool_that_hangs(const Threads& all, const facts::Listener& listener) {
  Unseen pool;
  std::optional<WaitClass> work;
  for (const ThreadWatch* thread : all) {
    const auto what = blocked_at_work(*thread, listener);
    if (!what) {
      if (!may_have_nothing_to_do(*thread, listener)) return {};
      continue;
    }
    if (work && work != what) return {};
    work = what;
    pool.threads.push_back(thread);
  }
  // One or two that compute may do so beside whoever accepts.
  const std::size_t fewest = work == WaitClass::kRuns ? 3 : 2;
  if (pool.threads.size() < fewest) return {};
  pool.busy = true;
  return pool;
}

// Threads that serve connections wait for work, and one other thread can be the one that gives it
// to them. In an event loop's process any thread may go on with what another began.
const ThreadWatch* acceptor_beside_a_free_pool(const Threads& all, const facts::Listener& listener,
                                               const Clues& clues) {
  const Threads closers = that_closed(all);
  if (closers.empty() || clues.taken == 0 || clues.is_in_epoll) return nullptr;
  const ClassShares shares = mean_at_work(closers, listener);
  const double free = idle_share(shares) + shares.at(static_cast<std::size_t>(WaitClass::kLock)) +
                      shares.at(static_cast<std::size_t>(WaitClass::kTimedLock));
  if (free < kMostly) return nullptr;
  const ThreadWatch* one = nullptr;
  for (const ThreadWatch* thread : all) {
    if (has_closed(*thread) || is_parked(*thread, listener)) continue;
    if (one != nullptr) return nullptr;
    one = thread;
  }
  if (one == nullptr || !is_at_work(mostly(*one, listener))) return nullptr;
  // It takes turns: what it does is over once for each few connections.
  constexpr std::uint64_t kFew = 4;
  const std::uint64_t turns = one->times.voluntary.value_or(0) + one->times.involuntary.value_or(0);
  return turns * kFew >= clues.taken ? one : nullptr;
}

// Beside it, the program itself has at most its first thread, which begins the others and waits.
bool is_all_of_program(const ThreadWatch& one, const Threads& all) {
  return std::ranges::all_of(all, [&](const ThreadWatch* thread) {
    return thread == &one || thread->pid == thread->tid || is_of_runtime(thread->comm);
  });
}

// Threads of an event loop that has taken the listener out have time, and its timer's sleeps.
Threads idle_beside_timers(const Threads& all, const facts::Listener& listener) {
  Threads idle;
  bool has_loop = false;
  for (const ThreadWatch* thread : all) {
    const WaitClass what = mostly(*thread, listener);
    if (what == WaitClass::kTimedLock && thread->times.voluntary == 0U) continue;
    if (!is_idle(what)) return {};
    has_loop = has_loop || what == WaitClass::kConnections;
    idle.push_back(thread);
  }
  return has_loop ? idle : Threads();
}

}  // namespace

ClassShares shares_at_work(const ThreadWatch& thread, const facts::Listener& listener) {
  ClassShares shares = class_shares(thread, listener);
  const facts::ExactTime* exact = exact_time(thread);
  if (exact == nullptr || !has_closed(thread)) return shares;
  std::uint64_t waits = 0;
  std::uint64_t woken = 0;
  for (const facts::BlockedTime& blocked : exact->blocked) {
    if (blocked.syscall != "futex") continue;
    waits += blocked.times;
    woken += blocked.woken.value_or(0);
  }
  // A lock that is tried again and again is waited for several times before it is had; work that
  // comes, and a lock that is given back, are told by somebody.
  constexpr std::uint64_t kFewest = 2;
  constexpr std::uint64_t kMostWoken = 4;
  if (waits < kFewest || woken * kMostWoken > waits || waits > 2 * *thread.closed + 1) {
    return shares;
  }
  double& timed = shares.at(static_cast<std::size_t>(WaitClass::kTimedLock));
  shares.at(static_cast<std::size_t>(WaitClass::kSleep)) += std::exchange(timed, 0);
  return shares;
}

Unseen exhausted_pool(const Threads& all, const facts::Listener& listener) {
  const Threads closers = that_closed(all);
  return closers.empty() ? pool_that_hangs(all, listener) : pool_that_serves(closers, listener);
}

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
  if (alike) return {all, Certainty::kOnly, is_busy(all.front())};
  if (Unseen pool = exhausted_pool(all, listener); !pool.threads.empty()) return pool;
  for (const auto find : {that_take_turns, that_share_a_lock}) {
    if (Unseen group = find(all, listener); !group.threads.empty()) return group;
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
    if (mostly(*rest, listener) == WaitClass::kRuns && clues.taken > 0) {
      return {{rest}, Certainty::kRest, true};
    }
    // Nobody waits where the event loop waits: this one is elsewhere.
    if (clues.has_event_loop && blocked_at_work(*rest, listener).has_value() &&
        is_all_of_program(*rest, all)) {
      return {{rest}, Certainty::kRest, true};
    }
    // The first thread is to serve an event loop, and sleeps instead.
    if (rest == main && mostly(*rest, listener) == WaitClass::kSleep && clues.has_event_loop) {
      return {{rest}, Certainty::kRest, true};
    }
  }
  if (clues.has_no_waiter && clues.taken == 0) {
    if (Threads idle = idle_beside_timers(all, listener); !idle.empty()) {
      return {std::move(idle), Certainty::kGroup, false};
    }
  }
  Threads group = all;
  std::erase_if(group, [](const ThreadWatch* thread) { return collects_garbage(thread->comm); });
  if (group.empty()) group = all;
  return {group, Certainty::kGroup, std::ranges::any_of(group, is_busy)};
}

}  // namespace acceptq::diagnose
