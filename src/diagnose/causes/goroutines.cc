#include "diagnose/causes/goroutines.h"

#include <algorithm>

#include "diagnose/causes/runtimes.h"

namespace acceptq::diagnose {

using facts::ThreadWatch;

bool has_parked(const Threads& threads) {
  const auto is_parked = [](const facts::Wait& wait) { return wait.syscall == kParked; };
  return std::ranges::any_of(threads, [&](const ThreadWatch* thread) {
    return std::ranges::any_of(thread->waits, is_parked);
  });
}

const ThreadWatch* only_one_blocked(const Threads& threads, const facts::Listener& listener,
                                    const Clues& clues) {
  const ThreadWatch* one = nullptr;
  for (const ThreadWatch* thread : threads) {
    if (const auto what = blocked_at_work(*thread, listener); what && *what != WaitClass::kRuns) {
      const std::uint64_t turns = turns_of(*thread);
      const bool decides =
          clues.taken == 0 ? turns == 0 : is_never_idle(*what) && keep_pace(turns, clues.taken);
      if (one != nullptr || !decides) return nullptr;
      one = thread;
      continue;
    }
    if (!may_have_nothing_to_do(*thread, listener)) return nullptr;
  }
  return has_parked(threads) ? one : nullptr;
}

bool has_no_requests(const Threads& threads, const Clues& clues) {
  return has_parked(threads) && clues.taken == 0 && clues.held.value_or(0) > 0 &&
         clues.unanswered == 0U && clues.asked == 0U;
}

Unseen goroutines_that_run(const Threads& all, const facts::Listener& listener,
                           const Clues& clues) {
  constexpr double kMostly = 0.7;
  constexpr double kSome = 0.05;
  if (!has_parked(all) || clues.taken == 0 || clues.asked != 0U) return {};
  Unseen running{.threads = {}, .certainty = Certainty::kRest, .busy = true, .take_turns = true};
  double run_ns = 0;
  for (const ThreadWatch* thread : all) {
    const WaitClass what = mostly(*thread, listener);
    // The runtime's monitor sleeps (sysmon, runtime/proc.go).
    if (!is_idle(what) && what != WaitClass::kRuns && what != WaitClass::kSleep) return {};
    const double runs =
        class_shares(*thread, listener).at(static_cast<std::size_t>(WaitClass::kRuns));
    if (runs < kSome) continue;
    run_ns += runs * watched_ns(*thread);
    running.threads.push_back(thread);
  }
  return run_ns >= kMostly * longest_watch(all) ? running : Unseen{};
}

}  // namespace acceptq::diagnose
