// What became of the listeners that were in trouble in an earlier observation.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "diagnose/comparison.h"
#include "facts/snapshot.h"
#include "render/term.h"

namespace acceptq::render {

// A section of the report on `now`, the later observation.
[[nodiscard]] std::string comparison_text(const TermStyle& style,
                                          const diagnose::Comparison& comparison,
                                          const facts::Observation& now);

[[nodiscard]] nlohmann::ordered_json comparison_json(const diagnose::Comparison& comparison);

}  // namespace acceptq::render
