// Several recordings of one host as one observation.
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "facts/snapshot.h"

namespace acceptq::facts {

struct Recording {
  std::string name;  // for errors: its file
  Observation observation;
};

// From the first scan of the first to the last of the last. What was counted only while each was
// made (ledgers, dead SYNs, the line of an incident) is not of the whole time and is left out: the
// kernel's counters are. kMalformed for recordings of different hosts or boots, or in the wrong
// order. Not for an empty span.
[[nodiscard]] Result<Observation> joined(std::span<Recording> recordings);

// Puts what was pasted beside what was recorded, each in namespaces of its own.
void add_pasted(Observation pasted, Observation& recorded);

// Puts what a capture shows of servers to their listeners: one that takes connections to the
// server's address and port, where there is one alone. The other servers are put beside them.
void add_capture(Observation capture, Observation& other);

// Puts what was captured in one network namespace of the host, after the observation, beside it:
// when handshakes failed; and where nothing was traced, what became of them.
void add_own_capture(Observation capture, NetnsId netns, Observation& other);

}  // namespace acceptq::facts
