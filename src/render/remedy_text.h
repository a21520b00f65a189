// What to do, as a numbered list of text to read and text to copy.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "diagnose/report.h"
#include "render/term.h"

namespace acceptq::render {

[[nodiscard]] std::string remedies_text(const TermStyle& style,
                                        const std::vector<diagnose::Remedy>& remedies);

// Whether its content is text to copy, which keeps its lines; else it is a sentence.
[[nodiscard]] bool is_to_copy(const diagnose::Remedy& remedy);

// What comes after it. Of several ways to the same end only the last says so.
[[nodiscard]] std::string then_sentence(const std::vector<diagnose::Remedy>& remedies,
                                        std::size_t i);

// Text to copy, line by line, behind so many blanks.
[[nodiscard]] std::string text_to_copy(std::string_view text, int indent);

// As much of it as fits into so many lines, but at least the first in words; the last line then
// says how many are left out, and that `acceptq fix SELECTOR` has all.
[[nodiscard]] std::string first_remedies(const TermStyle& style,
                                         const std::vector<diagnose::Remedy>& remedies, int lines,
                                         std::string_view selector);

}  // namespace acceptq::render
