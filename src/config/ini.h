// Configurations of one setting a line, in sections or in none. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "config/edit.h"

namespace acceptq::config {

struct IniStyle {
  std::string_view comments;  // characters that begin a comment line
  std::string_view trailing;  // that begin a comment behind a blank, too
  char separator = '=';       // ' ': any blanks
  bool folds_key = false;     // case, and '-' for '_', make no difference in keys
};

struct IniEntry {
  std::string section;  // "" before any
  std::string key;      // empty: the line begins a section
  std::string value;    // without the quotes around it
  bool bare = false;    // no separator follows the key, where one should
  std::size_t line_begin = 0;
  std::size_t value_begin = 0;
  std::size_t value_end = 0;  // in the file's text, quotes included
};

// Every line that is no comment, in order.
[[nodiscard]] std::vector<IniEntry> parse_ini(const File& file, const IniStyle& style);

// Where a setting was found. The file lives elsewhere.
struct IniPlace {
  const File* file = nullptr;
  IniEntry entry;
};

// An edit of one place: to `value`, or none where it has that already.
[[nodiscard]] Edit edit_value(const IniPlace& place, std::string_view value);
[[nodiscard]] Edit edit_file(FileEdit file);
// None: `what` is at that place already.
[[nodiscard]] Edit edit_nothing(const File& file, std::size_t offset, std::string_view what);
// Of the command line alone.
[[nodiscard]] Edit edit_option(std::string option);

}  // namespace acceptq::config
