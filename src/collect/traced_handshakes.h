// Tracing as a part of an observation: begun where the kernel lets it, and done without where not.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "collect/bpf/handshake_tracer.h"
#include "collect/observe.h"
#include "facts/snapshot.h"

namespace acceptq::collect {

// What was counted up to one moment.
struct Books {
  std::vector<facts::Ledger> ledgers;
  std::optional<std::vector<bpf::DeadSynCount>> dead_syns;
};

// SYNs to this host that died between two moments; of those that had no route yet, the ones to an
// address of their namespace.
// Empty where the kernel does not tell. The scanner has seen the namespaces.
[[nodiscard]] std::optional<std::vector<facts::DeadSyn>> dead_syns_between(const Books& base,
                                                                           const Books& books,
                                                                           const Scanner& scanner);

class TracedHandshakes {
 public:
  // Puts hooks in place; kNone: does nothing at all.
  explicit TracedHandshakes(const bpf::TraceOptions& options);

  // From here on it counts.
  void start();
  // To be called now and then: what waits is timed by it, where hooks do not.
  void tend();
  // HandshakeTracer::look_every.
  void look_every(std::chrono::nanoseconds period);
  [[nodiscard]] bool is_tracing() const { return tracer_.has_value(); }
  // Waits for `patience` and hands over refusals that come meanwhile.
  void wait(std::chrono::milliseconds patience,
            const std::function<void(const facts::Refusal&)>& take);
  // What was counted so far.
  [[nodiscard]] Books books();
  // Puts into the observation what was counted between two books(), what it says of listeners, and
  // what could not be traced. Listeners that were closed meanwhile with refused packets stay in it,
  // as `known` shows them.
  // The base is to be taken after the counters of the earlier snapshot were read, and the books
  // before those of the later one (BesideCounters): then no ledger holds more than the counters
  // grew by. The scanner has seen the namespaces.
  void finish(facts::Observation& observation, const facts::Snapshot& known, const Books& base,
              const Books& books, const Scanner& scanner);

 private:
  void give_up(const Error& error);
  void note_shortfall(facts::Snapshot& snapshot);

  bpf::TraceLevel level_;
  std::optional<bpf::HandshakeTracer> tracer_;
  std::string refusal_;  // why there is no tracer, or a lesser one
};

}  // namespace acceptq::collect
