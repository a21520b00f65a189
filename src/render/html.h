// Pieces of HTML. Whatever comes from a system goes through html_escaped; nothing else escapes.
#pragma once

#include <string>
#include <string_view>

namespace acceptq::render {

// `text` as it reads, in an element or between double quotes, on one line. Bytes that printable()
// escapes are escaped so.
[[nodiscard]] std::string html_escaped(std::string_view text);

// `text` line by line, for a <pre>.
[[nodiscard]] std::string html_lines(std::string_view text);

// "<NAME>text</NAME>", the text escaped.
[[nodiscard]] std::string html_element(std::string_view name, std::string_view text);

}  // namespace acceptq::render
