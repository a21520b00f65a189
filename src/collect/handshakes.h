// What follows handshakes, for a watch: the kernel's programs, or what a test lets happen.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <vector>

#include "collect/bpf/handshake_tracer.h"
#include "facts/snapshot.h"

namespace acceptq::collect {

// What was counted up to one moment.
struct Books {
  std::vector<facts::Ledger> ledgers;
  std::optional<std::vector<bpf::DeadSynCount>> dead_syns;
};

class Handshakes {
 public:
  using Taker = std::function<void(const facts::Refusal&)>;

  Handshakes() = default;
  Handshakes(const Handshakes&) = delete;
  Handshakes& operator=(const Handshakes&) = delete;
  virtual ~Handshakes() = default;

  // From here on it counts.
  virtual void start() = 0;
  // How; empty where it does not.
  [[nodiscard]] virtual std::optional<facts::Source> source() const = 0;
  // Readable when refusals wait to be taken; negative: there is none.
  [[nodiscard]] virtual int event_fd() const = 0;
  // To be called now and then: what waits is timed by it, where hooks do not. Hands over the
  // refusals that have come.
  virtual void take(const Taker& taker) = 0;
  // How often, at most, queues are looked at in take(), where hooks do not see what leaves them.
  virtual void look_every(std::chrono::nanoseconds period) = 0;
  // What was counted so far.
  [[nodiscard]] virtual Books books() = 0;
  // Says in the snapshot what could not be followed.
  virtual void note_shortfall(facts::Snapshot& snapshot) = 0;
};

}  // namespace acceptq::collect
