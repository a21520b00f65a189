// A document as Markdown (GitHub's, which others read as well), for a ticket.
#pragma once

#include <string>
#include <string_view>

#include "render/document.h"

namespace acceptq::render {

[[nodiscard]] std::string markdown(const Document& document);

// `text` as it reads, whatever is in it: no markup, link, image or HTML, and on one line. Bytes
// that printable() escapes are escaped so.
[[nodiscard]] std::string markdown_escaped(std::string_view text);

// `text` as a block of code, line by line, in a fence that nothing in it closes.
[[nodiscard]] std::string markdown_code(std::string_view text);

}  // namespace acceptq::render
