// The whole change for each listener, as text and as JSON (schema acceptq.fix/1).
#pragma once

#include <string>
#include <vector>

#include "diagnose/report.h"
#include "facts/snapshot.h"
#include "remedy/plan.h"
#include "render/term.h"

namespace acceptq::render {

// One plan for each listener of the report, in its order.
[[nodiscard]] std::string plans_text(const TermStyle& style, const std::vector<remedy::Plan>& plans,
                                     const diagnose::Report& report,
                                     const facts::Observation& observation);

[[nodiscard]] std::string plans_json(const std::vector<remedy::Plan>& plans,
                                     const diagnose::Report& report,
                                     const facts::Observation& observation);

}  // namespace acceptq::render
