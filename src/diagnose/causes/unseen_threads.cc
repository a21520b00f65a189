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

// It waits for another server to say something of itself, as one that is told of events does.
bool waits_for_events_of_a_peer(const ThreadWatch& thread, const facts::Listener& listener) {
  if (thread.waits.empty() || mostly(thread, listener) != WaitClass::kPeer) return false;
  const auto& target = thread.waits.front().target;
  return target && target->answer_due == false;
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
    case WaitClass::kPeer:
      return waits_for_events_of_a_peer(thread, listener);
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
  if (!tells || share < kMostly || waits_for_events_of_a_peer(thread, listener)) {
    return std::nullopt;
  }
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

// How long a process was watched: its threads may come and go meanwhile.
double longest_watch(const Threads& all) {
  double longest = 0;
  for (const ThreadWatch* thread : all) longest = std::max(longest, watched_ns(*thread));
  return longest;
}

// One of them runs at a time, and the others wait until they may: together they fill one core for
// that long, or wait for it. Of those that wait for a core several may have been woken.
bool take_turns(const Threads& threads, double for_ns, const facts::Listener& listener) {
  constexpr double kAll = 0.9;
  // Of threads that come and go some are over before a look meets them.
  constexpr double kLeast = 0.8;
  constexpr double kLeastSeen = 0.6;
  constexpr double kMost = 1.3;
  constexpr double kFewestWaits = 0.2;
  double all = 0;
  double wait = 0;
  double run = 0;
  double core = 0;
  for (const ThreadWatch* thread : threads) {
    const ClassShares shares = class_shares(*thread, listener);
    const double runs = shares.at(static_cast<std::size_t>(WaitClass::kRuns));
    const double waits = shares.at(static_cast<std::size_t>(WaitClass::kLock)) +
                         shares.at(static_cast<std::size_t>(WaitClass::kTimedLock));
    const double time = watched_ns(*thread);
    const facts::ExactTime* exact = exact_time(*thread);
    all += time;
    wait += waits * time;
    run += runs * time;
    core += exact != nullptr ? static_cast<double>(exact->on_core_ns) : runs * time;
  }
  const bool come_and_go = all < for_ns * static_cast<double>(threads.size()) / 2;
  return threads.size() > 1 && run + wait >= kAll * all && wait >= kFewestWaits * all &&
         run >= (come_and_go ? kLeastSeen : kLeast) * for_ns && core <= kMost * for_ns;
}

double per_second(const std::optional<std::uint64_t>& count, const ThreadWatch& thread) {
  constexpr double kNsPerSecond = 1e9;
  if (!count || thread.watched_ns <= 0) return 0;
  return static_cast<double>(*count) * kNsPerSecond / static_cast<double>(thread.watched_ns);
}

bool moves_often(const ThreadWatch& thread) {
  constexpr double kOften = 30;  // times a second
  return per_second(thread.times.voluntary, thread) >= kOften;
}

// Threads of which one runs at a time, handing on what lets it run many times a second, as under an
// interpreter's lock. Those beside them have nothing to do.
Unseen that_take_turns(const Threads& all, const facts::Listener& listener) {
  Threads turning;
  bool one_waits = false;
  for (const ThreadWatch* thread : all) {
    const WaitClass what = mostly(*thread, listener);
    const bool waits = what == WaitClass::kLock || what == WaitClass::kTimedLock;
    if (what == WaitClass::kRuns || (waits && moves_often(*thread))) {
      turning.push_back(thread);
      one_waits = one_waits || waits;
    } else if (!may_have_nothing_to_do(*thread, listener)) {
      return {};
    }
  }
  const ThreadWatch* main = main_thread(turning);
  if (main == nullptr || !one_waits || !take_turns(turning, longest_watch(all), listener)) {
    return {};
  }
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
Unseen pool_that_serves(const Threads& closers, const Threads& all,
                        const facts::Listener& listener) {
  const ClassShares shares = mean_at_work(closers, listener);
  constexpr double kAlmostAll = 0.8;  // of several kinds of work
  double work = 0;
  for (std::size_t i = 0; i < kWaitClasses; ++i) {
    if (!is_at_work(static_cast<WaitClass>(i))) continue;
    work += shares.at(i);
    if (shares.at(i) >= kMostly) return {closers, Certainty::kServe, true};
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

// Whether what these threads do is over once for each few of the connections that were taken. What
// waits beside them for its own sake is not.
bool keep_pace(std::uint64_t turns, std::uint64_t taken) {
  constexpr std::uint64_t kFew = 4;
  return taken > 0 && turns * kFew >= taken;
}

std::uint64_t turns_of(const ThreadWatch& thread) {
  return thread.times.voluntary.value_or(0) + thread.times.involuntary.value_or(0);
}

// Several wait for the same kind of thing, and the others have nothing to do. Where connections are
// taken all the same, they are not those that serve them unless they go on.
Unseen pool_that_hangs(const Threads& all, const facts::Listener& listener, std::uint64_t taken) {
  Unseen pool;
  std::optional<WaitClass> work;
  std::uint64_t turns = 0;
  for (const ThreadWatch* thread : all) {
    const auto what = blocked_at_work(*thread, listener);
    if (!what) {
      if (!may_have_nothing_to_do(*thread, listener) &&
          !waits_for_events_of_a_peer(*thread, listener)) {
        return {};
      }
      continue;
    }
    if (work && work != what) return {};
    work = what;
    turns += turns_of(*thread);
    pool.threads.push_back(thread);
  }
  if (taken > 0 && work != WaitClass::kRuns && !keep_pace(turns, taken)) return {};
  // One or two that compute may do so beside whoever accepts.
  const std::size_t fewest = work == WaitClass::kRuns ? 3 : 2;
  if (pool.threads.size() < fewest) return {};
  pool.busy = true;
  return pool;
}

// Whether those that serve connections wait for work, or for others to do it, most of the time.
bool is_free(const Threads& closers, const facts::Listener& listener) {
  const ClassShares shares = mean_at_work(closers, listener);
  return idle_share(shares) + shares.at(static_cast<std::size_t>(WaitClass::kLock)) +
             shares.at(static_cast<std::size_t>(WaitClass::kTimedLock)) >=
         kMostly;
}

// Threads that serve connections wait for others, of a second pool, which all do one thing: whoever
// accepts waits for these in the end.
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

// Threads that serve connections wait for work, and one other thread can be the one that gives it
// to them. In an event loop's process any thread may go on with what another began.
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
  return keep_pace(turns_of(*one), clues.taken) ? one : nullptr;
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

// It was in poll(), select() or an epoll for clients of the listener.
bool polls_clients(const ThreadWatch& thread) {
  double looks = 0;
  for (const facts::Wait& wait : thread.waits) {
    if (wait.polled == facts::Polled::kClients) looks += wait.looks;
  }
  return looks >= kMostly * thread.looks;
}

// Threads that wait for the listener's clients, while all others have nothing to do: event loops
// that have taken the listener out of what they wait for.
Threads loops_of_clients(const Threads& all, const facts::Listener& listener) {
  Threads loops;
  for (const ThreadWatch* thread : all) {
    if (!is_parked(*thread, listener)) return {};
    if (polls_clients(*thread)) loops.push_back(thread);
  }
  return loops;
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

Unseen exhausted_pool(const Threads& all, const facts::Listener& listener, std::uint64_t taken) {
  const Threads closers = that_closed(all);
  return closers.empty() ? pool_that_hangs(all, listener, taken)
                         : pool_that_serves(closers, all, listener);
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
  // Those that serve in turns are at their common lock most of the time, each.
  const bool serve_in_turns = first == WaitClass::kTimedLock && !that_closed(all).empty();
  if (alike && !serve_in_turns) return {all, Certainty::kOnly, is_busy(all.front())};
  if (Unseen pool = exhausted_pool(all, listener, clues.taken); !pool.threads.empty()) return pool;
  for (const auto find : {that_take_turns, that_share_a_lock}) {
    if (Unseen group = find(all, listener); !group.threads.empty()) return group;
  }
  if (Unseen pool = pool_behind_the_pool(all, listener, clues); !pool.threads.empty()) return pool;
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
        is_all_of_program(*rest, all, listener)) {
      return {{rest}, Certainty::kRest, true};
    }
    // The first thread is to serve an event loop, and sleeps instead.
    if (rest == main && mostly(*rest, listener) == WaitClass::kSleep && clues.has_event_loop) {
      return {{rest}, Certainty::kRest, true};
    }
  }
  if (clues.has_no_waiter && clues.taken == 0) {
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
