// What must hold of every report, whatever it was made from: its parts say the same.
#pragma once

#include <string>
#include <vector>

#include "diagnose/report.h"
#include "facts/snapshot.h"

namespace acceptq::diagnose {

// Each contradiction in one sentence; empty for a report that agrees with itself, and has what it
// says of each listener at the listener's place in the later snapshot. For reports as diagnose()
// makes them, and for what a selection leaves of both.
[[nodiscard]] std::vector<std::string> contradictions(const Report& report,
                                                      const facts::Snapshot& after);

}  // namespace acceptq::diagnose
