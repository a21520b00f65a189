// `acceptq explain`, as text and as JSON.
#pragma once

#include <string>

#include "diagnose/explain.h"
#include "render/term.h"

namespace acceptq::render {

[[nodiscard]] std::string explain_text(const TermStyle& style,
                                       const diagnose::Explanation& explanation);
[[nodiscard]] std::string explain_json(const diagnose::Explanation& explanation);

}  // namespace acceptq::render
