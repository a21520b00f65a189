// What to do, as a numbered list of text to read and text to copy.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "diagnose/report.h"
#include "render/term.h"

namespace acceptq::render {

[[nodiscard]] std::string remedies_text(const TermStyle& style,
                                        const std::vector<diagnose::Remedy>& remedies);

// Text to copy, line by line, behind so many blanks.
[[nodiscard]] std::string text_to_copy(std::string_view text, int indent);

// As much of it as fits into so many lines, but at least the first in words; the last line then
// says how many are left out, and that `acceptq fix SELECTOR` has all.
[[nodiscard]] std::string first_remedies(const TermStyle& style,
                                         const std::vector<diagnose::Remedy>& remedies, int lines,
                                         std::string_view selector);

}  // namespace acceptq::render
