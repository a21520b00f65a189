#include "diagnose/causes/thread_habits.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <utility>

#include "diagnose/causes/runtimes.h"

namespace acceptq::diagnose {
namespace {

using facts::ThreadWatch;

// A thread that is told what to do by a pipe, as the first one of a process often is, or reads
// events: inotify, eventfd, timerfd, signalfd.
bool reads_events(const ThreadWatch& thread) {
  if (thread.waits.empty()) return false;
  const facts::Wait& wait = thread.waits.front();
  if (wait.polled == facts::Polled::kPipes) return true;
  if (wait.state != "S" || !wait.target) return false;
  return wait.target->type == "pipefs" ||
         (wait.target->type == "anon_inodefs" && wait.syscall == "read");
}

// The waits at locks that were counted.
struct LockWaits {
  std::uint64_t times = 0;
  std::uint64_t woken = 0;

  // Work that comes, and a lock that is given back, are told by somebody.
  [[nodiscard]] bool end_by_timer() const {
    constexpr std::uint64_t kFewest = 2;
    constexpr std::uint64_t kMostWoken = 4;
    return times >= kFewest && woken * kMostWoken <= times;
  }
};

LockWaits lock_waits(const ThreadWatch& thread) {
  LockWaits waits;
  const facts::ExactTime* exact = exact_time(thread);
  if (exact == nullptr) return waits;
  for (const facts::BlockedTime& blocked : exact->blocked) {
    if (blocked.syscall != "futex") continue;
    waits.times += blocked.times;
    waits.woken += blocked.woken.value_or(0);
  }
  return waits;
}

double per_second(const std::optional<std::uint64_t>& count, const ThreadWatch& thread) {
  constexpr double kNsPerSecond = 1e9;
  if (!count || thread.watched_ns <= 0) return 0;
  return static_cast<double>(*count) * kNsPerSecond / static_cast<double>(thread.watched_ns);
}

}  // namespace

bool waits_for_mutex(const ThreadWatch& thread) {
  return !thread.waits.empty() && thread.waits.front().contended == true;
}

bool is_for_taken_lock(const facts::Wait& wait) {
  return wait.contended == true || wait.syscall == "flock" || wait.syscall == "fcntl";
}

bool waits_for_taken_lock(const ThreadWatch& thread) {
  return !thread.waits.empty() && is_for_taken_lock(thread.waits.front());
}

WaitClass mostly(const ThreadWatch& thread, const facts::Listener& listener) {
  const ClassShares shares = class_shares(thread, listener);
  return static_cast<WaitClass>(std::ranges::max_element(shares) - shares.begin());
}

bool waits_for_events_of_a_peer(const ThreadWatch& thread, const facts::Listener& listener) {
  if (thread.waits.empty() || mostly(thread, listener) != WaitClass::kPeer) return false;
  const facts::Wait& wait = thread.waits.front();
  if (!wait.target) return false;
  // A UDP socket without a peer is a server's (__skb_recv_udp, net/ipv4/udp.c).
  if (!wait.target->peer && is_below(wait, "__skb_recv_udp")) return true;
  return wait.target->answer_due == false;
}

bool may_have_nothing_to_do(const ThreadWatch& thread, const facts::Listener& listener) {
  const WaitClass what = mostly(thread, listener);
  if (what == WaitClass::kLock) return !waits_for_mutex(thread);
  return is_idle(what) || what == WaitClass::kTimedLock || what == WaitClass::kSleep ||
         (what == WaitClass::kOther && reads_events(thread));
}

bool is_beside_the_work(const ThreadWatch& thread, const facts::Listener& listener) {
  return may_have_nothing_to_do(thread, listener) || waits_for_events_of_a_peer(thread, listener);
}

bool may_sleep(const ThreadWatch& thread, const facts::Listener& listener) {
  return mostly(thread, listener) == WaitClass::kTimedLock && thread.times.voluntary != 0U &&
         !is_of_runtime(thread.comm);
}

bool is_parked(const ThreadWatch& thread, const facts::Listener& listener) {
  switch (mostly(thread, listener)) {
    case WaitClass::kConnections:
    case WaitClass::kTimedLock:
      return true;
    case WaitClass::kLock:
      return thread.times.voluntary == 0U && !waits_for_taken_lock(thread);
    case WaitClass::kPeer:
      return waits_for_events_of_a_peer(thread, listener);
    default:
      return false;
  }
}

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

bool has_closed(const ThreadWatch& thread) { return thread.closed.value_or(0) > 0; }

Threads that_closed(const Threads& all) {
  Threads closers;
  std::ranges::copy_if(all, std::back_inserter(closers),
                       [](const ThreadWatch* thread) { return has_closed(*thread); });
  return closers;
}

std::optional<WaitClass> blocked_at_work(const ThreadWatch& thread,
                                         const facts::Listener& listener) {
  const WaitClass what = mostly(thread, listener);
  const double share = class_shares(thread, listener).at(static_cast<std::size_t>(what));
  const bool is_collector = thread.comm.empty() || collects_garbage(thread.comm);
  const bool tells = what == WaitClass::kLock   ? waits_for_taken_lock(thread)
                     : what == WaitClass::kRuns ? !is_collector
                                                : is_at_work(what) && what != WaitClass::kSleep;
  if (!tells || share < kMostOfTime || waits_for_events_of_a_peer(thread, listener)) {
    return std::nullopt;
  }
  return what;
}

const ThreadWatch* main_thread(const Threads& threads) {
  const auto it = std::ranges::find_if(
      threads, [](const ThreadWatch* thread) { return thread->pid == thread->tid; });
  return it != threads.end() ? *it : nullptr;
}

double longest_watch(const Threads& all) {
  double longest = 0;
  for (const ThreadWatch* thread : all) longest = std::max(longest, watched_ns(*thread));
  return longest;
}

bool moves_often(const ThreadWatch& thread) {
  constexpr double kOften = 30;  // times a second
  return per_second(thread.times.voluntary, thread) >= kOften;
}

std::uint64_t turns_of(const ThreadWatch& thread) {
  return thread.times.voluntary.value_or(0) + thread.times.involuntary.value_or(0);
}

bool was_counted_in_accept(const ThreadWatch& thread) {
  const facts::ExactTime* exact = exact_time(thread);
  return exact != nullptr && std::ranges::any_of(exact->blocked, [](const auto& blocked) {
           return blocked.syscall == "accept" || blocked.syscall == "accept4";
         });
}

bool sleeps_for_each(const ThreadWatch& thread, const facts::Listener& listener,
                     std::uint64_t taken) {
  // Of fewer, another timer may go off as often by chance.
  constexpr std::uint64_t kFewest = 10;
  constexpr std::uint64_t kOneInMany = 20;
  const LockWaits waits = lock_waits(thread);
  const std::uint64_t may_differ = 1 + taken / kOneInMany;
  return taken >= kFewest && may_sleep(thread, listener) && !thread.comm.empty() &&
         waits.end_by_timer() && waits.times + may_differ >= taken &&
         waits.times <= taken + may_differ;
}

ClassShares sleeping(ClassShares shares) {
  double& timed = shares.at(static_cast<std::size_t>(WaitClass::kTimedLock));
  shares.at(static_cast<std::size_t>(WaitClass::kSleep)) += std::exchange(timed, 0);
  return shares;
}

ClassShares shares_at_work(const ThreadWatch& thread, const facts::Listener& listener) {
  const ClassShares shares = class_shares(thread, listener);
  if (!has_closed(thread)) return shares;
  // A lock that is tried again and again is waited for several times before it is had.
  const LockWaits waits = lock_waits(thread);
  return waits.end_by_timer() && waits.times <= 2 * *thread.closed + 1 ? sleeping(shares) : shares;
}

bool is_never_idle(WaitClass work) {
  return work != WaitClass::kPeer && work != WaitClass::kClient && work != WaitClass::kRuns;
}

bool keep_pace(std::uint64_t turns, std::uint64_t taken) {
  constexpr std::uint64_t kFew = 4;
  return taken > 0 && turns * kFew >= taken;
}

}  // namespace acceptq::diagnose
