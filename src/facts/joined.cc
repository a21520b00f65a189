#include "facts/joined.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

namespace acceptq::facts {

Result<Observation> joined(std::span<Recording> recordings) {
  if (recordings.size() == 1) return std::move(recordings.front().observation);
  Observation all;
  const Recording* previous = &recordings.front();
  for (const Recording& recording : recordings) {
    const Observation& earlier = previous->observation;
    const Observation& next = recording.observation;
    if (next.before.host.boot_id != earlier.before.host.boot_id) {
      return fail(ErrorCode::kMalformed,
                  previous->name + " and " + recording.name + " are of different hosts or boots");
    }
    if (next.before.monotonic_ns < earlier.before.monotonic_ns ||
        next.after.monotonic_ns < earlier.after.monotonic_ns) {
      return fail(ErrorCode::kMalformed, recording.name + " is older than " + previous->name +
                                             ": give recordings in their order");
    }
    previous = &recording;
    for (const auto& [key, queue] : next.samples) all.samples[key] += queue;
  }
  constexpr double kNsPerSecond = 1e9;
  all.before = std::move(recordings.front().observation.before);
  all.after = std::move(recordings.back().observation.after);
  all.seconds =
      static_cast<double>(all.after.monotonic_ns - all.before.monotonic_ns) / kNsPerSecond;
  all.after.blind_spots.push_back(
      {.id = "AQ614",
       .scope = "host",
       .reason = "several recordings were joined, and handshakes were not followed between them",
       .cost = "refused packets are known by counters alone, and not by step, client and attempt"});
  return all;
}

void add_pasted(Observation pasted, Observation& recorded) {
  const auto add = [](Snapshot& from, Snapshot& to) {
    const auto append = [](auto& items, auto& all) {
      all.insert(all.end(), std::make_move_iterator(items.begin()),
                 std::make_move_iterator(items.end()));
    };
    append(from.namespaces, to.namespaces);
    append(from.listeners, to.listeners);
    append(from.blind_spots, to.blind_spots);
    // A pid of the paste may be another process's here.
    for (Listener& listener : to.listeners) {
      if (!listener.pasted_at.empty()) listener.owners.clear();
    }
    normalize(to);
  };
  add(pasted.before, recorded.before);
  add(pasted.after, recorded.after);
  recorded.samples.merge(pasted.samples);
}

void add_capture(Observation capture, Observation& other) {
  std::vector<Listener>& listeners = other.after.listeners;
  std::vector<Listener> unknown;
  for (Ledger& ledger : capture.ledgers) {
    const Listener* found = nullptr;
    bool is_alone = true;
    for (const Listener& listener : listeners) {
      if (listener.protocol != Protocol::kTcp || listener.port != ledger.port ||
          !serves_address(listener, ledger.address)) {
        continue;
      }
      is_alone = found == nullptr;
      found = &listener;
      if (!is_alone) break;
    }
    if (found == nullptr || !is_alone) {
      const auto placeholder =
          std::ranges::find_if(capture.after.listeners, [&](const Listener& listener) {
            return listener.port == ledger.port && listener.address == ledger.address;
          });
      if (placeholder != capture.after.listeners.end()) unknown.push_back(*placeholder);
    } else {
      capture.after.blind_spots.push_back(
          {.id = "AQ615",
           .scope = listener_key(*found),
           .reason = "packets to " + host_and_port(ledger.address, ledger.port) +
                     " were taken for this listener's, by address and port",
           .cost = "where an address is translated on the way, they may be another one's"});
      ledger.netns = found->netns;
      ledger.address = found->address;
      ledger.cookie = found->cookie;
    }
    other.ledgers.push_back(std::move(ledger));
  }
  other.tracing = capture.tracing;
  const auto append = [](auto& items, auto& all) {
    all.insert(all.end(), std::make_move_iterator(items.begin()),
               std::make_move_iterator(items.end()));
  };
  append(unknown, listeners);
  append(capture.after.blind_spots, other.after.blind_spots);
  if (!unknown.empty()) append(capture.after.namespaces, other.after.namespaces);
  normalize(other.after);
}

}  // namespace acceptq::facts
