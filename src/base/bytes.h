// Names from the kernel (paths, commands) are bytes, not text. These make text of them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace acceptq {

// Valid UTF-8 for any bytes, and reversible: a backslash becomes \\ and a byte that is not part of
// valid UTF-8 becomes \xHH. Everything else stays.
[[nodiscard]] std::string escape_bytes(std::string_view bytes);

// The reverse; nothing where a backslash is followed by something else.
[[nodiscard]] std::optional<std::string> unescape_bytes(std::string_view text);

// For a terminal or a page: as escape_bytes, but control characters are escaped too, so that a
// hostile name cannot move the cursor or change colours, and backslashes stay single.
[[nodiscard]] std::string printable(std::string_view bytes);

}  // namespace acceptq
