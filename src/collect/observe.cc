#include "collect/observe.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "collect/traced_handshakes.h"

namespace acceptq::collect {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
// A sample every 50 ms catches a queue that is full for a tenth of a second; a sample that is
// itself slow is taken less often, so that sampling never takes more than a tenth of one core.
constexpr std::int64_t kShortestPeriodNs = 50'000'000;
constexpr std::int64_t kRestFactor = 10;

double seconds_between(std::int64_t from_ns, std::int64_t to_ns) {
  return static_cast<double>(to_ns - from_ns) / static_cast<double>(kNsPerSecond);
}

// Namespaces worth a visit for each sample: something waits in a queue or was refused before.
std::vector<NetnsId> watched_namespaces(const facts::Snapshot& snapshot) {
  std::set<NetnsId> ids;
  for (const facts::Listener& listener : snapshot.listeners) {
    if (listener.accept_queue_len.value() > 0 || listener.drops.value_or(0) > 0) {
      ids.insert(listener.netns);
    }
  }
  return {ids.begin(), ids.end()};
}

void add_sample(const facts::Listener& listener,
                std::map<std::string, facts::QueueSamples>& samples) {
  facts::QueueSamples& queue = samples[facts::listener_key(listener)];
  ++queue.count;
  queue.longest = std::max(queue.longest, listener.accept_queue_len);
  if (listener.limit && facts::sampled_full(listener.accept_queue_len, *listener.limit)) {
    ++queue.full;
  }
}

// Adds to the first snapshot what only the complete scan saw, with what it read a moment later: the
// alternative is to visit every namespace before the observation begins.
void complete(facts::Snapshot& before, facts::Snapshot complete) {
  std::ranges::move(complete.listeners, std::back_inserter(before.listeners));
  std::ranges::move(complete.processes, std::back_inserter(before.processes));
  for (facts::Namespace& ns : complete.namespaces) {
    const auto known = std::ranges::find(before.namespaces, ns.id, &facts::Namespace::id);
    if (known == before.namespaces.end()) {
      before.namespaces.push_back(std::move(ns));
      continue;
    }
    if (known->sysctls.empty()) known->sysctls = std::move(ns.sysctls);
    if (known->counters.empty()) {
      known->counters = std::move(ns.counters);
      known->counters_source = std::move(ns.counters_source);
    }
    if (known->held_by == facts::HeldBy::kUnknown) known->held_by = ns.held_by;
  }
  before.blind_spots = std::move(complete.blind_spots);
  facts::normalize(before);
}

// The second snapshot is a fast one: what the complete scan could not see stays unseen, and the
// sysctls that only it read are taken over.
void carry_over(const facts::Snapshot& before, facts::Snapshot& after) {
  for (facts::Namespace& ns : after.namespaces) {
    const facts::Namespace* known = facts::find_namespace(before, ns.id);
    if (known != nullptr && ns.sysctls.empty()) ns.sysctls = known->sysctls;
  }
  for (const facts::BlindSpot& spot : before.blind_spots) {
    const bool repeated =
        std::ranges::any_of(after.blind_spots, [&](const facts::BlindSpot& other) {
          return other.id == spot.id && other.scope == spot.scope;
        });
    if (!repeated) after.blind_spots.push_back(spot);
  }
}

}  // namespace

Result<facts::Observation> observe(const ObserveOptions& options) {
  const std::int64_t begin = monotonic_ns();
  Scanner scanner(options.scan);
  TracedHandshakes handshakes(options.trace);
  facts::Observation observation;
  handshakes.start();
  Result<facts::Snapshot> before = scanner.scan(ScanDepth::kFirst);
  if (!before) return fail(std::move(before.error()));
  observation.before = std::move(*before);
  if (observation.before.scan_method == "iterator") {
    Result<facts::Snapshot> whole = scanner.scan(ScanDepth::kComplete);
    if (!whole) return fail(std::move(whole.error()));
    complete(observation.before, std::move(*whole));
  }

  // The time that was asked for includes the loading of programs and the first scan, but where
  // these take most of it, half of it is watched nevertheless: counters that had no time to move
  // would say that all is well.
  const auto asked = static_cast<std::int64_t>(options.seconds * kNsPerSecond);
  const std::int64_t end = std::max(begin + asked, observation.before.monotonic_ns + asked / 2);
  const std::vector<NetnsId> watched = watched_namespaces(observation.before);
  while (true) {
    const std::int64_t now = monotonic_ns();
    if (options.progress && !options.progress(seconds_between(begin, now))) break;
    if (now >= end) break;
    for (const facts::Listener& listener : scanner.sample(watched)) {
      add_sample(listener, observation.samples);
    }
    handshakes.tend();
    const std::int64_t cost = monotonic_ns() - now;
    const std::int64_t pause = std::max(kShortestPeriodNs, cost * kRestFactor);
    std::this_thread::sleep_for(
        std::chrono::nanoseconds(std::max<std::int64_t>(0, std::min(pause, end - now - cost))));
  }
  Result<facts::Snapshot> after = scanner.scan(ScanDepth::kFast);
  if (!after) return fail(std::move(after.error()));
  observation.after = std::move(*after);
  carry_over(observation.before, observation.after);
  facts::normalize(observation.after);
  handshakes.finish(observation);
  observation.seconds =
      seconds_between(observation.before.monotonic_ns, observation.after.monotonic_ns);
  return observation;
}

}  // namespace acceptq::collect
