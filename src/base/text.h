// Small pieces of text parsing that every parser needs. None allocates beyond its result.
#pragma once

#include <charconv>
#include <concepts>
#include <optional>
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

// The fields of `text` that runs of blanks (space, tab, CR, LF) separate; views into `text`.
[[nodiscard]] std::vector<std::string_view> split_blank(std::string_view text);

// The parts of `text` between single `separator`s, empty ones kept; views into `text`.
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);

// `text` without blanks at both ends.
[[nodiscard]] std::string_view trim(std::string_view text);

// Cuts the first line off `rest` and returns it without its newline (nor a CR before it).
[[nodiscard]] std::string_view next_line(std::string_view& rest);

}  // namespace acceptq
