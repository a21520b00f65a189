// Whether a change helped: the listeners that were in trouble in an earlier observation, and what
// became of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "diagnose/report.h"
#include "facts/snapshot.h"

namespace acceptq::diagnose {

enum class Outcome {
  kStopped,    // it refused before, and does not under a comparable load
  kSlower,     // the same, but connections wait for over a second, and more than twice as long
  kFewer,      // it refuses less than half as often
  kSame,       // as often as before, within a factor of two
  kMore,       // more than twice as often
  kNoLoad,     // nothing is refused, but so much less comes that this proves nothing
  kTooShort,   // nothing is refused, but it was watched too briefly to say so
  kQuiet,      // nothing was refused before, nor is now
  kGone,       // nothing like it listens any more
  kAmbiguous,  // several that may have taken its place
  kUnknown,    // what was refused is not known of both
};

// One of the two observations.
struct Side {
  Verdict verdict = Verdict::kUnknown;
  double seconds = 0;
  std::optional<std::uint64_t> refused;  // packets
  // Connections a second that clients wanted: accepted and refused attempts; where attempts are not
  // known, everything that arrived, retries included.
  std::optional<double> load;
  std::optional<double> accepted;  // connections a second
  std::optional<std::uint32_t> limit;
  LimitSetBy limit_set_by = LimitSetBy::kUnknown;
  QueueLength waiting;            // when it was last looked at
  std::optional<double> wait_ms;  // of half of the connections, or of one that comes now
};

struct ListenerComparison {
  std::string before_key;
  std::string key;  // of the same socket, or of what listens in its place; empty: none
  Outcome outcome = Outcome::kUnknown;
  Side before;
  Side now;
};

struct Comparison {
  std::int64_t realtime_ns = 0;  // end of the earlier observation
  std::vector<ListenerComparison> listeners;
};

struct Observed {
  const facts::Observation& observation;
  const Report& report;  // of exactly this observation
};

// Of every listener that was not healthy before. After a restart its successor is the one listener
// at the same endpoint that is of the same workload, container or program (in the same namespace,
// for a program).
[[nodiscard]] Comparison compare(const Observed& before, const Observed& now);

}  // namespace acceptq::diagnose
