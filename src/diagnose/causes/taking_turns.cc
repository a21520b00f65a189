#include "diagnose/causes/taking_turns.h"

#include <algorithm>
#include <compare>
#include <cstdint>
#include <optional>
#include <set>

namespace acceptq::diagnose {
namespace {

using facts::ThreadWatch;

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

// Of the time of all together: at each moment one of them is at work, and no other.
bool is_one_at_a_time(double work_ns, double for_ns) {
  constexpr double kLeast = 0.8;  // some looks meet none of them
  constexpr double kMost = 1.1;
  return work_ns >= kLeast * for_ns && work_ns <= kMost * for_ns;
}

double share_at_locks(const ThreadWatch& thread, const facts::Listener& listener) {
  return lock_share(class_shares(thread, listener));
}

// What is locked, as far as processes can have it in common: a file, or an address that was mapped
// before they were forked; neither where that is not known.
struct Locked {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t address = 0;

  friend auto operator<=>(const Locked&, const Locked&) = default;
};

void add_locks(const ThreadWatch& thread, const facts::Listener& listener,
               std::set<Locked>& locks) {
  for (const facts::Wait& wait : thread.waits) {
    if (classify(wait, listener) != WaitClass::kLock) continue;
    const facts::FileTarget file = wait.target.value_or(facts::FileTarget());
    locks.insert({file.device, file.inode, wait.lock.value_or(0)});
  }
}

// The pipe that it waits to write into, if it does at all.
const facts::FileTarget* full_pipe_of(const ThreadWatch& thread, const facts::Listener& listener) {
  for (const facts::Wait& wait : thread.waits) {
    if (wait.target && classify(wait, listener) == WaitClass::kPipe) return &*wait.target;
  }
  return nullptr;
}

}  // namespace

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
    const double waits = lock_share(shares);
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

Unseen that_take_turns(const Threads& all, const facts::Listener& listener,
                       const Clues& /*clues*/) {
  Threads turning;
  bool one_waits = false;
  for (const ThreadWatch* thread : all) {
    const WaitClass what = mostly(*thread, listener);
    const bool waits = is_lock(what);
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

Unseen that_wait_for_one_with_the_turn(const Threads& all, const facts::Listener& listener,
                                       const Clues& /*clues*/) {
  constexpr double kAll = 0.9;
  Threads turning;
  double held_ns = 0;
  for (const ThreadWatch* thread : all) {
    const double waits =
        class_shares(*thread, listener).at(static_cast<std::size_t>(WaitClass::kTimedLock));
    const double works = share_at_work(*thread, listener);
    if (moves_often(*thread) && works + waits >= kAll) {
      turning.push_back(thread);
      held_ns += works * watched_ns(*thread);
    } else if (!may_have_nothing_to_do(*thread, listener)) {
      return {};
    }
  }
  constexpr std::size_t kFewest = 3;
  if (turning.size() < kFewest || main_thread(turning) == nullptr ||
      !is_one_at_a_time(held_ns, longest_watch(all))) {
    return {};
  }
  return {turning, Certainty::kRest, true, true};
}

Unseen that_log_in_turns(const Threads& all, const facts::Listener& listener,
                         const Clues& /*clues*/) {
  constexpr double kAll = 0.9;
  Threads writers;
  const facts::FileTarget* pipe = nullptr;
  double writes_ns = 0;
  for (const ThreadWatch* thread : all) {
    const facts::FileTarget* here = full_pipe_of(*thread, listener);
    if (here == nullptr) {
      if (!may_have_nothing_to_do(*thread, listener)) return {};
      continue;
    }
    if (pipe == nullptr) pipe = here;
    const double writes =
        class_shares(*thread, listener).at(static_cast<std::size_t>(WaitClass::kPipe));
    const bool is_all =
        share_at_work(*thread, listener) + share_at_locks(*thread, listener) >= kAll;
    if (here->inode != pipe->inode || here->device != pipe->device || !is_all) return {};
    writers.push_back(thread);
    writes_ns += writes * watched_ns(*thread);
  }
  if (writers.size() < 2 || that_closed(writers).empty() ||
      !is_one_at_a_time(writes_ns, longest_watch(all))) {
    return {};
  }
  return {writers, Certainty::kRest, true, true};
}

InTurns accept_in_turns(const Threads& threads, const facts::Listener& listener,
                        const facts::Acceptors& acceptors) {
  constexpr std::size_t kFewest = 2;
  constexpr double kAll = 0.9;
  constexpr double kSome = 0.02;
  constexpr double kMostOpen = 1.3;  // some are served after the lock was given back
  std::set<Pid> pids;
  std::set<Locked> locks;
  double elsewhere_ns = 0;
  bool is_at_work = true;  // whoever is elsewhere
  bool is_handed_on = false;
  std::optional<double> open = 0;
  for (const ThreadWatch* thread : threads) {
    const double waits = share_at_locks(*thread, listener);
    if (!pids.insert(thread->pid).second) return InTurns::kNo;
    add_locks(*thread, listener, locks);
    elsewhere_ns += (1 - waits) * watched_ns(*thread);
    is_at_work = is_at_work && share_at_work(*thread, listener) + waits >= kAll;
    is_handed_on = is_handed_on || (waits >= kSome && waits <= 1 - kSome);
    const auto held = std::ranges::find(acceptors.held, thread->pid, &facts::HeldConnections::pid);
    open = open && held != acceptors.held.end() && held->mean ? std::optional(*open + *held->mean)
                                                              : std::nullopt;
  }
  if (threads.size() < kFewest || locks.size() != 1 || open.value_or(0) > kMostOpen ||
      !is_one_at_a_time(elsewhere_ns, longest_watch(threads))) {
    return InTurns::kNo;
  }
  if (open && is_at_work) return InTurns::kYes;
  return is_handed_on ? InTurns::kPerhaps : InTurns::kNo;
}

Unseen that_share_a_lock(const Threads& all, const facts::Listener& listener,
                         const Clues& /*clues*/) {
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

Unseen that_serve_under_a_lock(const Threads& all, const facts::Listener& listener,
                               const Clues& /*clues*/) {
  constexpr double kAll = 0.9;
  const Threads closers = that_closed(all);
  std::set<std::uint64_t> common;
  double works_ns = 0;
  for (const ThreadWatch* thread : closers) {
    const std::set<std::uint64_t> locks = locks_of(*thread);
    const double works = share_at_work(*thread, listener);
    const double waits =
        class_shares(*thread, listener).at(static_cast<std::size_t>(WaitClass::kLock));
    if (thread == closers.front()) common = locks;
    std::erase_if(common, [&](std::uint64_t lock) { return !locks.contains(lock); });
    if (common.empty() || works + waits < kAll) return {};
    works_ns += works * watched_ns(*thread);
  }
  if (closers.size() < 2 || !is_one_at_a_time(works_ns, longest_watch(all))) return {};
  return {closers, Certainty::kServe, true, true};
}

}  // namespace acceptq::diagnose
