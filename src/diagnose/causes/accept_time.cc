#include "diagnose/causes/accept_time.h"

#include <algorithm>
#include <array>
#include <utility>

#include "diagnose/causes/class_shares.h"
#include "diagnose/causes/page_faults.h"
#include "diagnose/causes/runtimes.h"

namespace acceptq::diagnose {
namespace {

using facts::ThreadWatch;

constexpr double kNsPerSecond = 1e9;

// Locks' timers are sleeps of those that serve, or that pace whoever accepts.
ClassShares shares_of(const ThreadWatch& thread, const ListenerState& state, Certainty certainty) {
  const facts::Listener& listener = *state.listener;
  if (certainty == Certainty::kServe) return shares_at_work(thread, listener);
  const ClassShares shares = class_shares(thread, listener);
  const std::uint64_t taken = state.report.left_queue.value_or(0);
  const bool paces = certainty == Certainty::kRest && sleeps_for_each(thread, listener, taken);
  return paces ? sleeping(shares) : shares;
}

void add_times(const ListenerState& state, AcceptTime& time) {
  const auto has_more_looks = [](const facts::Wait& wait, const auto& than) {
    return !than || wait.looks > than->looks;
  };
  for (const ThreadWatch* thread : time.threads) {
    const facts::ExactTime* exact = exact_time(*thread);
    if (exact != nullptr) ++time.exact_threads;
    time.looks = std::max(time.looks, thread->looks);
    time.watched_seconds =
        std::max(time.watched_seconds, static_cast<double>(thread->watched_ns) / kNsPerSecond);
    time.seconds = std::max(time.seconds, watched_ns(*thread) / kNsPerSecond);
    const ClassShares shares = shares_of(*thread, state, time.certainty);
    for (std::size_t i = 0; i < kWaitClasses; ++i) {
      time.classes.at(i).share += shares.at(i) / static_cast<double>(time.threads.size());
    }
    for (const facts::Wait& wait : thread->waits) {
      ClassTime& seen = time.classes.at(static_cast<std::size_t>(classify(wait, *state.listener)));
      if (wait.target && has_more_looks(wait, seen.with_target)) seen.with_target = &wait;
      if (has_more_looks(wait, seen.most_seen)) seen.most_seen = wait;
    }
  }
}

// Threads that come and go, one for each connection, are watched for as long as their process is.
void add_watch_of_process(const facts::Acceptors& acceptors, AcceptTime& time) {
  const auto is_of_them = [&](const ThreadWatch& thread) {
    return std::ranges::any_of(time.threads,
                               [&](const ThreadWatch* other) { return other->pid == thread.pid; });
  };
  for (const ThreadWatch& thread : acceptors.threads) {
    if (!is_of_them(thread)) continue;
    time.looks = std::max(time.looks, thread.looks);
    time.seconds = std::max(time.seconds, watched_ns(thread) / kNsPerSecond);
    time.watched_seconds =
        std::max(time.watched_seconds, static_cast<double>(thread.watched_ns) / kNsPerSecond);
  }
}

// What was over before a look met it is known by its place alone.
void add_unseen_places(const facts::Listener& listener, AcceptTime& time) {
  const auto add = [&](facts::Wait wait) {
    ClassTime& what = time.classes.at(static_cast<std::size_t>(classify(wait, listener)));
    if (what.share > 0 && !what.most_seen) what.most_seen = std::move(wait);
  };
  for (const ThreadWatch* thread : time.threads) {
    const facts::ExactTime* exact = exact_time(*thread);
    if (exact == nullptr) continue;
    if (exact->on_core_ns + exact->ready_ns > 0) add({.state = "R"});
    for (const facts::BlockedTime& blocked : exact->blocked) {
      add({.state = blocked.state, .syscall = blocked.syscall, .stack = blocked.stack});
    }
  }
}

// Waits for pages are waits for the disk that read these.
void place_page_faults(const facts::Observation& observation, const facts::Listener& listener,
                       AcceptTime& time) {
  if (disk_of_page_faults(observation, time.threads) == nullptr) return;
  ClassTime& other = time.classes.at(static_cast<std::size_t>(WaitClass::kOther));
  ClassTime& block = time.classes.at(static_cast<std::size_t>(WaitClass::kBlock));
  double looks = 0;
  double faults = 0;
  for (const ThreadWatch* thread : time.threads) {
    for (const facts::Wait& wait : thread->waits) {
      if (classify(wait, listener) != WaitClass::kOther) continue;
      looks += wait.looks;
      if (!is_page_fault(wait)) continue;
      faults += wait.looks;
      if (!block.most_seen) block.most_seen = wait;
    }
  }
  if (faults == 0) return;
  const double share = other.share * faults / looks;
  block.share += share;
  other.share -= share;
}

using Share = std::optional<double>;

// The mean over the threads; empty where it is not known of each.
template <typename Of>
Share mean(const AcceptTime& time, Of share_of) {
  double sum = 0;
  for (const ThreadWatch* thread : time.threads) {
    const Share share = share_of(*thread);
    if (!share) return std::nullopt;
    sum += std::min(*share, 1.0);
  }
  return sum / static_cast<double>(time.threads.size());
}

Share sampled(const ThreadWatch& thread, const std::optional<std::uint64_t>& ns) {
  if (!ns || thread.watched_ns <= 0) return std::nullopt;
  return static_cast<double>(*ns) / static_cast<double>(thread.watched_ns);
}

Share on_core(const ThreadWatch& thread) {
  if (const facts::ExactTime* exact = exact_time(thread)) {
    return static_cast<double>(exact->on_core_ns) / static_cast<double>(exact->counted_ns);
  }
  const Share user = sampled(thread, thread.times.user_ns);
  const Share system = sampled(thread, thread.times.system_ns);
  if (!user || !system) return std::nullopt;
  return *user + *system;
}

Share delayed(const ThreadWatch& thread) {
  if (const facts::ExactTime* exact = exact_time(thread)) {
    return static_cast<double>(exact->ready_ns) / static_cast<double>(exact->counted_ns);
  }
  return sampled(thread, thread.times.delay_ns);
}

// The same of threads of which one runs at a time, and which may come and go: of the time that one
// of them was watched for at most. Empty where it is not known of most of that.
template <typename Of>
Share together(const AcceptTime& time, Of share_of) {
  constexpr double kMost = 0.8;
  double longest = 0;
  double all = 0;
  double known = 0;
  double sum = 0;
  for (const ThreadWatch* thread : time.threads) {
    const double watched = watched_ns(*thread);
    longest = std::max(longest, watched);
    all += watched;
    const Share share = share_of(*thread);
    if (!share) continue;
    known += watched;
    sum += *share * watched;
  }
  if (longest <= 0 || known < kMost * all) return std::nullopt;
  return std::min(sum / longest, 1.0);
}

void add_cpu(AcceptTime& time) {
  const auto user = [](const ThreadWatch& thread) { return sampled(thread, thread.times.user_ns); };
  const auto system = [](const ThreadWatch& thread) {
    return sampled(thread, thread.times.system_ns);
  };
  const auto of = [&](auto share_of) {
    return time.take_turns ? together(time, share_of) : mean(time, share_of);
  };
  time.on_core = of(on_core);
  time.user = of(user);
  time.system = of(system);
  time.delayed = of(delayed);
  // While one of them has a core, the others wait for their turn.
  if (time.take_turns && time.on_core && time.delayed) {
    time.delayed = std::min(*time.delayed, 1 - *time.on_core);
  }
}

// What a thread waits for its turn in, another is at work in.
void add_turns(const facts::Listener& listener, AcceptTime& time) {
  double each = 0;
  double all = 0;
  std::array<double, kWaitClasses> work{};
  for (std::size_t i = 0; i < kWaitClasses; ++i) {
    if (!is_at_work(static_cast<WaitClass>(i))) continue;
    const double share = time.classes.at(i).share;
    const Share one_after_the_other = together(time, [&](const ThreadWatch& thread) -> Share {
      return class_shares(thread, listener).at(i);
    });
    each += share;
    work.at(i) = std::min(one_after_the_other.value_or(share), 1 - all);
    all += work.at(i);
  }
  const double rest = each < 1 ? (1 - all) / (1 - each) : 0;
  for (std::size_t i = 0; i < kWaitClasses; ++i) {
    double& share = time.classes.at(i).share;
    share = is_at_work(static_cast<WaitClass>(i)) ? work.at(i) : share * rest;
  }
}

}  // namespace

double AcceptTime::idle() const {
  double share = 0;
  for (std::size_t i = 0; i < kWaitClasses; ++i) {
    if (is_idle(static_cast<WaitClass>(i))) share += classes.at(i).share;
  }
  return share;
}

bool AcceptTime::has_shares() const {
  constexpr std::uint32_t kFewest = 5;
  constexpr double kShortest = 0.2;
  return (looks >= kFewest || is_exact()) && seconds >= kShortest;
}

std::optional<AcceptTime> accept_time(const facts::Observation& observation,
                                      const ListenerState& state) {
  const facts::Listener& listener = *state.listener;
  const auto& all = observation.accept_evidence.acceptors;
  const auto found = all.find(state.report.key);
  if (found == all.end()) return std::nullopt;
  AcceptTime time;
  time.retold = with_parked_threads(observation.after, found->second);
  const facts::Acceptors& acceptors = time.retold ? *time.retold : found->second;
  Chosen chosen = choose_threads(observation, state, acceptors);
  time.certainty = chosen.certainty;
  time.take_turns = chosen.take_turns;
  time.may_take_turns = chosen.may_take_turns;
  time.threads = std::move(chosen.threads);
  if (time.threads.empty()) return std::nullopt;
  add_times(state, time);
  if (time.certainty == Certainty::kServe) add_watch_of_process(acceptors, time);
  add_unseen_places(listener, time);
  place_page_faults(observation, listener, time);
  add_cpu(time);
  if (time.take_turns) add_turns(listener, time);
  return time;
}

}  // namespace acceptq::diagnose
