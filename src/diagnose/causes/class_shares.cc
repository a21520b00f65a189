#include "diagnose/causes/class_shares.h"

#include <algorithm>
#include <string>
#include <vector>

namespace acceptq::diagnose {
namespace {

using facts::BlockedTime;
using facts::ExactTime;
using facts::ThreadWatch;
using facts::Wait;

std::size_t index_of(const Wait& wait, const facts::Listener& listener) {
  return static_cast<std::size_t>(classify(wait, listener));
}

// Looks leave out the scheduler's own functions, which are the innermost, and either stack may be
// cut off at its outer end.
bool is_same_stack(const std::vector<std::string>& looked,
                   const std::vector<std::string>& counted) {
  if (looked.empty()) return counted.empty();
  const auto begin = std::ranges::find(counted, looked.front());
  if (begin == counted.end()) return false;
  const auto [differs, end] = std::mismatch(begin, counted.end(), looked.begin(), looked.end());
  return differs == counted.end() || end == looked.end();
}

bool is_same_call(const Wait& wait, const BlockedTime& blocked) {
  return wait.state == blocked.state && wait.syscall == blocked.syscall;
}

// Gives `share` to what the looks for which `is_there` holds were about. Returns whether any was.
template <typename IsThere>
bool add_by_looks(const ThreadWatch& thread, const facts::Listener& listener, double share,
                  IsThere is_there, ClassShares& shares) {
  double looks = 0;
  for (const Wait& wait : thread.waits) looks += is_there(wait) ? wait.looks : 0;
  if (looks == 0) return false;
  for (const Wait& wait : thread.waits) {
    if (is_there(wait)) shares.at(index_of(wait, listener)) += share * wait.looks / looks;
  }
  return true;
}

// What a call waits for is told by its descriptor, of poll() by the socket that it was found to
// wait for, or, of a lock, by whether a timer ends the wait.
bool is_half_known(const Wait& place, WaitClass by_place) {
  return by_place == WaitClass::kOther || by_place == WaitClass::kLock ||
         facts::is_polling(place) || facts::waits_by_epoll(place);
}

void add_blocked(const ThreadWatch& thread, const facts::Listener& listener,
                 const BlockedTime& blocked, double share, ClassShares& shares) {
  const auto at_same_place = [&](const Wait& wait) {
    return is_same_call(wait, blocked) && is_same_stack(wait.stack, blocked.stack);
  };
  if (add_by_looks(thread, listener, share, at_same_place, shares)) return;
  const Wait alone{.state = blocked.state, .syscall = blocked.syscall, .stack = blocked.stack};
  const std::size_t what = index_of(alone, listener);
  const auto in_same_call = [&](const Wait& wait) {
    return wait.syscall && is_same_call(wait, blocked);
  };
  if (is_half_known(alone, static_cast<WaitClass>(what)) &&
      add_by_looks(thread, listener, share, in_same_call, shares)) {
    return;
  }
  shares.at(what) += share;
}

ClassShares by_count(const ThreadWatch& thread, const ExactTime& exact,
                     const facts::Listener& listener) {
  ClassShares shares{};
  const auto share_of = [&](std::uint64_t ns) {
    return static_cast<double>(ns) / static_cast<double>(exact.counted_ns);
  };
  shares.at(static_cast<std::size_t>(WaitClass::kRuns)) +=
      share_of(exact.on_core_ns) + share_of(exact.ready_ns);
  shares.at(static_cast<std::size_t>(WaitClass::kOther)) += share_of(exact.unplaced_ns);
  for (const BlockedTime& blocked : exact.blocked) {
    add_blocked(thread, listener, blocked, share_of(blocked.ns), shares);
  }
  return shares;
}

// Hundreds of times a second: a look that meets it ready meets it at the end of a sleep, since
// looks follow timers as well. One that lacks a core does not come to sleep so often.
bool sleeps_again_and_again(const ThreadWatch& thread) {
  constexpr double kOften = 300;
  constexpr double kNsPerSecond = 1e9;
  return static_cast<double>(thread.times.voluntary.value_or(0)) * kNsPerSecond >=
         kOften * static_cast<double>(std::max(thread.watched_ns, std::int64_t{1}));
}

// Whether the thread's own times and the looks at it allow what was counted. An event that is
// missed as it leaves its core makes all that follows time on it.
bool is_credible(const ThreadWatch& thread, const ExactTime& exact) {
  constexpr std::uint64_t kManyTicksNs = 100'000'000;
  constexpr double kFewestLooks = 5;  // that should have met it there
  if (!thread.times.user_ns || !thread.times.system_ns) return true;
  const std::uint64_t own = *thread.times.user_ns + *thread.times.system_ns;
  if (exact.on_core_ns <= kManyTicksNs + 4 * own) return true;
  const bool met = std::ranges::any_of(
      thread.waits, [](const Wait& wait) { return wait.state == "R" && wait.looks > 0; });
  const double share =
      static_cast<double>(exact.on_core_ns) / static_cast<double>(exact.counted_ns);
  return met || share * thread.looks < kFewestLooks;
}

}  // namespace

const ExactTime* exact_time(const ThreadWatch& thread) {
  const bool counted = thread.exact && thread.exact->counted_ns > 0;
  return counted && is_credible(thread, *thread.exact) ? &*thread.exact : nullptr;
}

double watched_ns(const ThreadWatch& thread) {
  const ExactTime* exact = exact_time(thread);
  return exact != nullptr ? static_cast<double>(exact->counted_ns)
                          : static_cast<double>(thread.watched_ns);
}

ClassShares class_shares(const ThreadWatch& thread, const facts::Listener& listener) {
  if (const ExactTime* exact = exact_time(thread)) return by_count(thread, *exact, listener);
  ClassShares shares{};
  const bool naps = sleeps_again_and_again(thread);
  for (const Wait& wait : thread.waits) {
    const bool is_nap = naps && wait.state == "R" && wait.syscall == "clock_nanosleep";
    const std::size_t what =
        is_nap ? static_cast<std::size_t>(WaitClass::kSleep) : index_of(wait, listener);
    shares.at(what) += static_cast<double>(wait.looks) / thread.looks;
  }
  return shares;
}

double idle_share(const ClassShares& shares) {
  double idle = 0;
  for (std::size_t i = 0; i < kWaitClasses; ++i) {
    if (is_idle(static_cast<WaitClass>(i))) idle += shares.at(i);
  }
  return idle;
}

double lock_share(const ClassShares& shares) {
  return shares.at(static_cast<std::size_t>(WaitClass::kLock)) +
         shares.at(static_cast<std::size_t>(WaitClass::kTimedLock));
}

}  // namespace acceptq::diagnose
