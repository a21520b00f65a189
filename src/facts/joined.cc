#include "facts/joined.h"

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

}  // namespace acceptq::facts
