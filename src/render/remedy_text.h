// What to do, as a numbered list of text to read and text to copy.
#pragma once

#include <string>
#include <vector>

#include "diagnose/report.h"
#include "render/term.h"

namespace acceptq::render {

[[nodiscard]] std::string remedies_text(const TermStyle& style,
                                        const std::vector<diagnose::Remedy>& remedies);

// As much of it as fits into so many lines, but at least the first in words; the last line then
// says how many are left out.
[[nodiscard]] std::string first_remedies(const TermStyle& style,
                                         const std::vector<diagnose::Remedy>& remedies, int lines);

}  // namespace acceptq::render
