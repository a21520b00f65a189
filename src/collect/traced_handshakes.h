// Tracing as a part of an observation: begun where the kernel lets it, and done without where not.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "collect/bpf/handshake_tracer.h"
#include "facts/snapshot.h"

namespace acceptq::collect {

class TracedHandshakes {
 public:
  // Puts hooks in place; kNone: does nothing at all.
  explicit TracedHandshakes(const bpf::TraceOptions& options);

  // From here on it counts.
  void start();
  // To be called now and then: what waits is timed by it, where hooks do not.
  void tend();
  // Puts into the observation what was counted, whatever it says of its listeners, and what could
  // not be traced.
  void finish(facts::Observation& observation);

 private:
  void note_shortfall(facts::Snapshot& snapshot);

  bpf::TraceLevel level_;
  std::optional<bpf::HandshakeTracer> tracer_;
  std::string refusal_;  // why there is no tracer, or a lesser one
};

}  // namespace acceptq::collect
