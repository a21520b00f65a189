// What must hold of every report, whatever it was made from: its parts say the same.
#pragma once

#include <string>
#include <vector>

#include "diagnose/report.h"

namespace acceptq::diagnose {

// Each contradiction in one sentence; empty for a report that agrees with itself. For reports as
// diagnose() makes them, and for what a selection leaves of them.
[[nodiscard]] std::vector<std::string> contradictions(const Report& report);

}  // namespace acceptq::diagnose
