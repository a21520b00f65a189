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

}  // namespace acceptq::facts
