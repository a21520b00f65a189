// What people paste, as plain lines: without the marks that terminals, mail and editors leave.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace acceptq::imports {

struct Line {
  std::uint32_t number = 0;  // as an editor counts: from 1
  std::string text;          // no line end, no blanks at its end
  // The same with tabs and blanks at its end, where it has any: as a file has it.
  std::optional<std::string> exact;
};

using Lines = std::span<const Line>;

// Text in UTF-16, by its byte order mark, as UTF-8; nothing for any other.
[[nodiscard]] std::optional<std::string> decode_utf16(std::string_view bytes);

// UTF-16 (by its byte order mark) becomes UTF-8; CR, escape sequences of terminals, "> " of quotes
// and fences of Markdown are taken off, other control characters and no-break spaces become blanks.
// Fails with kMalformed for what is no text.
[[nodiscard]] Result<std::vector<Line>> normalize_text(std::string_view bytes);

}  // namespace acceptq::imports
