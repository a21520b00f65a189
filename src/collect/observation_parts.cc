#include "collect/observation_parts.h"

#include <algorithm>
#include <set>
#include <utility>

#include "facts/socket_index.h"

namespace acceptq::collect {

namespace {

bool has_no_cookie(const facts::Listener& listener) { return listener.cookie.value() == 0; }

void take_cookies(const std::vector<facts::Listener>& known, facts::Snapshot& snapshot) {
  if (std::ranges::none_of(snapshot.listeners, has_no_cookie)) return;
  const facts::SocketIndex index(known);
  for (facts::Listener& listener : snapshot.listeners) {
    if (!has_no_cookie(listener)) continue;
    if (const facts::Listener* same = index.find(listener)) listener.cookie = same->cookie;
  }
  facts::normalize(snapshot);
}

// What was sampled before a socket had its cookie, under the key that it has now.
void rename_samples(const std::vector<facts::Listener>& listeners,
                    std::map<std::string, facts::QueueSamples>& samples) {
  const auto is_nameless = [](const auto& entry) {
    return entry.first.find("#i") != std::string::npos;
  };
  if (std::ranges::none_of(samples, is_nameless)) return;
  for (facts::Listener nameless : listeners) {
    if (nameless.cookie.value() == 0 || nameless.inode.value() == 0) continue;
    const std::string key = facts::listener_key(nameless);
    nameless.cookie = {};
    const auto earlier = samples.find(facts::listener_key(nameless));
    if (earlier == samples.end()) continue;
    samples[key] += earlier->second;
    samples.erase(earlier);
  }
}

}  // namespace

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

void complete(facts::Snapshot& before, facts::Snapshot complete) {
  take_cookies(complete.listeners, before);
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

void agree_on_cookies(facts::Observation& observation) {
  take_cookies(observation.after.listeners, observation.before);
  take_cookies(observation.before.listeners, observation.after);
  rename_samples(observation.after.listeners, observation.samples);
}

void measure(facts::Observation& observation) {
  constexpr double kNsPerSecond = 1e9;
  const facts::Snapshot& before = observation.before;
  facts::Snapshot& after = observation.after;
  const std::int64_t elapsed_ns = after.monotonic_ns - before.monotonic_ns;
  observation.seconds = static_cast<double>(elapsed_ns) / kNsPerSecond;
  if (after.realtime_ns < before.realtime_ns) after.realtime_ns = before.realtime_ns + elapsed_ns;
}

}  // namespace acceptq::collect
