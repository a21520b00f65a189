#include "facts/joined.h"

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

}  // namespace acceptq::facts
