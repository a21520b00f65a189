// The rule in force for a listener, with its numbers: `acceptq explain :80`.
#pragma once

#include <string>

#include "diagnose/report.h"
#include "facts/snapshot.h"
#include "render/term.h"

namespace acceptq::render {

[[nodiscard]] std::string listener_rules(const TermStyle& style, const diagnose::Report& report,
                                         const facts::Observation& observation);

}  // namespace acceptq::render
