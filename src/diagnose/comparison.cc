#include "diagnose/comparison.h"

#include <algorithm>

#include "facts/holders.h"
#include "facts/workload.h"

namespace acceptq::diagnose {
namespace {

// Who listens, in words that a restart does not change; empty where that is not known.
std::string who(const facts::Snapshot& snapshot, const facts::Listener& listener) {
  const facts::Process* process = facts::holders_of(snapshot, listener).first();
  if (process == nullptr) return "";
  if (process->pod && process->pod->name) {
    const auto workload = facts::workload_of(*process->pod);
    return "pod " + process->pod->ns.value_or("") + "/" +
           (workload ? workload->name : *process->pod->name);
  }
  if (process->container && process->container->name) {
    return "container " + *process->container->name;
  }
  return "program " + process->comm + " " + std::to_string(listener.netns.value());
}

bool same_endpoint(const facts::Listener& one, const facts::Listener& other) {
  return facts::listener_endpoint(one) == facts::listener_endpoint(other);
}

Side side_of(const Observed& observed, std::size_t index) {
  const ListenerReport& report = observed.report.listeners[index];
  const facts::Listener& listener = observed.observation.after.listeners[index];
  Side side{.verdict = report.verdict,
            .seconds = observed.observation.seconds,
            .refused = report.refused.total,
            .load = report.arrivals_per_s,
            .accepted = report.accepts_per_s,
            .limit_set_by = report.limit_set_by,
            .waiting = listener.accept_queue_len,
            .wait_ms = report.estimated_wait_ms};
  if (listener.limit) side.limit = listener.limit->value();
  if (report.time_in_queue) side.wait_ms = report.time_in_queue->p50_ms;
  if (report.accepts_per_s && report.refused.attempts && side.seconds > 0) {
    side.load =
        *report.accepts_per_s + static_cast<double>(*report.refused.attempts) / side.seconds;
  }
  return side;
}

// It takes more than it could then, as it refused.
bool takes_more(const Side& before, const Side& now) {
  constexpr double kMore = 1.2;
  return before.accepted && now.accepted && *now.accepted > kMore * *before.accepted;
}

// A longer queue alone, in front of an accept() that is as slow.
bool waits_longer(const Side& before, const Side& now) {
  constexpr double kLongMs = 1000;
  constexpr double kMuch = 2;
  return now.wait_ms.value_or(0) >= kLongMs && before.wait_ms &&
         *now.wait_ms > kMuch * *before.wait_ms;
}

Outcome outcome_without_refusals(const Side& before, const Side& now) {
  constexpr double kComparable = 0.7;
  constexpr double kEnough = 5;  // refusals that the former rate lets one expect
  const double share = before.load && now.load && *before.load > 0 ? *now.load / *before.load : 1;
  // Clients that were refused before the watch and try again look like new ones, so that there
  // seemed to be more of them then than there were.
  if (share < kComparable && !takes_more(before, now)) return Outcome::kNoLoad;
  const double expected = static_cast<double>(*before.refused) / before.seconds * now.seconds;
  if (expected < kEnough) return Outcome::kTooShort;
  return waits_longer(before, now) ? Outcome::kSlower : Outcome::kStopped;
}

Outcome outcome_of(const Side& before, const Side& now) {
  constexpr double kMuch = 2;
  if (!before.refused || !now.refused || before.seconds <= 0 || now.seconds <= 0) {
    return Outcome::kUnknown;
  }
  if (*before.refused == 0) return *now.refused == 0 ? Outcome::kQuiet : Outcome::kMore;
  if (*now.refused == 0) return outcome_without_refusals(before, now);
  const double rate_before = static_cast<double>(*before.refused) / before.seconds;
  const double rate_now = static_cast<double>(*now.refused) / now.seconds;
  if (rate_now * kMuch < rate_before) return Outcome::kFewer;
  return rate_now > rate_before * kMuch ? Outcome::kMore : Outcome::kSame;
}

// Indices of what may have taken its place.
std::vector<std::size_t> successors(const Observed& before, std::size_t index,
                                    const Observed& now) {
  const facts::Listener& old = before.observation.after.listeners[index];
  const std::string identity = who(before.observation.after, old);
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < now.report.listeners.size(); ++i) {
    const facts::Listener& listener = now.observation.after.listeners[i];
    if (listener.closed) continue;
    if (now.report.listeners[i].key == before.report.listeners[index].key) return {i};
    if (!identity.empty() && same_endpoint(old, listener) &&
        who(now.observation.after, listener) == identity) {
      found.push_back(i);
    }
  }
  return found;
}

}  // namespace

Comparison compare(const Observed& before, const Observed& now) {
  Comparison comparison{.realtime_ns = before.observation.after.realtime_ns};
  for (std::size_t i = 0; i < before.report.listeners.size(); ++i) {
    if (before.report.listeners[i].verdict == Verdict::kHealthy) continue;
    ListenerComparison one{.before_key = before.report.listeners[i].key,
                           .before = side_of(before, i)};
    const std::vector<std::size_t> found = successors(before, i, now);
    if (found.size() == 1) {
      one.key = now.report.listeners[found.front()].key;
      one.now = side_of(now, found.front());
      one.outcome = outcome_of(one.before, one.now);
    } else {
      one.outcome = found.empty() ? Outcome::kGone : Outcome::kAmbiguous;
    }
    comparison.listeners.push_back(std::move(one));
  }
  return comparison;
}

}  // namespace acceptq::diagnose
