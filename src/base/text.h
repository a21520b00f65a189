// Small pieces of text parsing that every parser needs. None allocates beyond its result.
#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace acceptq {

// The whole of `text` as a number, or nothing: no sign for unsigned types, no white space, no
// trailing characters, no overflow.
template <std::integral T>
[[nodiscard]] std::optional<T> parse_int(std::string_view text, int base = 10) {
  T value{};
  const char* end = text.data() + text.size();
  const std::from_chars_result result = std::from_chars(text.data(), end, value, base);
  if (result.ec != std::errc{} || result.ptr != end) return std::nullopt;
  return value;
}

// N of "KIND:[N]", the form in which the kernel writes what links to sockets and namespaces lead to
// ("socket:[48213]", "net:[4026531840]"); nothing for any other text.
[[nodiscard]] std::optional<std::uint64_t> parse_inode_link(std::string_view target,
                                                            std::string_view kind);

// The fields of `text` that runs of blanks (space, tab, CR, LF) separate; views into `text`.
[[nodiscard]] std::vector<std::string_view> split_blank(std::string_view text);

// The parts of `text` between single `separator`s, empty ones kept; views into `text`.
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);

// `text` without blanks at both ends.
[[nodiscard]] std::string_view trim(std::string_view text);

// "1 process", "2 processes".
[[nodiscard]] std::string counted(std::size_t count, std::string_view one, std::string_view many);

// Levenshtein's distance: how many insertions, deletions and replacements make `to` of `from`.
[[nodiscard]] std::size_t edit_distance(std::string_view from, std::string_view to);

// Cuts the first line off `rest` and returns it without its newline (nor a CR before it).
[[nodiscard]] std::string_view next_line(std::string_view& rest);

}  // namespace acceptq
