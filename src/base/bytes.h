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

// Blanks, newlines and backslashes as the kernel escapes them in lists of mounts: \ooo
// (fs/seq_file.c, mangle_path). What is no such escape stays as it is.
[[nodiscard]] std::string decode_octal_escapes(std::string_view text);

// For a terminal or a page: as escape_bytes, but backslashes stay single, and each byte of what a
// terminal obeys or does not show is escaped: control characters, characters that turn the
// direction of the text, and those of no width. So no name moves the cursor, changes colours, or
// looks like another.
[[nodiscard]] std::string printable(std::string_view bytes);

// The same for a whole page, whose line ends and tabs stay, and with `styled` also its own colours
// (ESC [ … m). The last look at what goes out; the names in it went through printable() where they
// were put in.
[[nodiscard]] std::string printable_page(std::string_view page, bool styled);

// JSON text in which the characters that printable() escapes are written as \uXXXX: the same JSON.
[[nodiscard]] std::string printable_json(std::string_view json);

}  // namespace acceptq
