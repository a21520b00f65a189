// What became of the listeners that were in trouble in an earlier observation.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "diagnose/comparison.h"
#include "facts/snapshot.h"
#include "render/listener_rows.h"
#include "render/term.h"

namespace acceptq::render {

struct ComparedListener {
  std::string what_became;  // whose, and the outcome in a sentence
  std::vector<Row> rows;    // then and now
};

// "compared with 2026-11-23T06:00:00Z".
[[nodiscard]] std::string comparison_title(const diagnose::Comparison& comparison);

// One for each listener; where there is none, one that says so.
[[nodiscard]] std::vector<ComparedListener> compared_listeners(
    const TermStyle& style, const diagnose::Comparison& comparison, const facts::Observation& now);

// A section of the report on `now`, the later observation.
[[nodiscard]] std::string comparison_text(const TermStyle& style,
                                          const diagnose::Comparison& comparison,
                                          const facts::Observation& now);

[[nodiscard]] nlohmann::ordered_json comparison_json(const diagnose::Comparison& comparison);

}  // namespace acceptq::render
