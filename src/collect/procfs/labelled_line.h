// Files of /proc whose lines are "NAME:<blank>VALUE": status, fdinfo.
#pragma once

#include <concepts>
#include <optional>
#include <string_view>

#include "base/text.h"

namespace acceptq::collect::procfs {

// What follows `name` (with its colon) on the line that begins with it, if there is one.
[[nodiscard]] inline std::optional<std::string_view> labelled_line(std::string_view text,
                                                                   std::string_view name) {
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    if (line.starts_with(name)) return line.substr(name.size());
  }
  return std::nullopt;
}

// The same as a number; nothing too where it is none.
template <std::integral T>
[[nodiscard]] std::optional<T> labelled_number(std::string_view text, std::string_view name) {
  const std::optional<std::string_view> value = labelled_line(text, name);
  return value ? parse_int<T>(trim(*value)) : std::nullopt;
}

}  // namespace acceptq::collect::procfs
