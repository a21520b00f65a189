#include "config/ini.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>

#include "base/text.h"

namespace acceptq::config {
namespace {

constexpr std::string_view kBlanks = " \t\r";

std::string folded(std::string_view key) {
  std::string text(key);
  for (char& c : text) {
    c = c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return text;
}

// Where the value of `line` that begins at `begin` ends: before a comment, and before blanks. A
// quote closes it only where nothing else follows: servers take `"1" 2` whole.
std::size_t value_end(std::string_view line, std::size_t begin, const IniStyle& style) {
  std::size_t end = line.size();
  if (begin < line.size() && (line[begin] == '"' || line[begin] == '\'')) {
    const std::size_t quote = line.find(line[begin], begin + 1);
    if (quote != std::string_view::npos) {
      const std::size_t next = std::min(line.find_first_not_of(kBlanks, quote + 1), line.size());
      const bool alone =
          next == line.size() ||
          (next > quote + 1 && style.trailing.find(line[next]) != std::string_view::npos);
      if (alone) return quote + 1;
    }
  }
  for (std::size_t i = begin; i < line.size(); ++i) {
    const bool behind_blank = i == begin || kBlanks.find(line[i - 1]) != std::string_view::npos;
    if (behind_blank && style.trailing.find(line[i]) != std::string_view::npos) {
      end = i;
      break;
    }
  }
  while (end > begin && kBlanks.find(line[end - 1]) != std::string_view::npos) --end;
  return end;
}

std::string unquoted(std::string_view value) {
  const bool quoted =
      value.size() > 1 && (value[0] == '"' || value[0] == '\'') && value.back() == value[0];
  return std::string(quoted ? value.substr(1, value.size() - 2) : value);
}

std::optional<IniEntry> parse_line(std::string_view line, const std::string& section,
                                   const IniStyle& style) {
  const std::size_t begin = line.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return std::nullopt;
  if (style.comments.find(line[begin]) != std::string_view::npos) return std::nullopt;
  IniEntry entry{.section = section};
  if (line[begin] == '[' && style.separator == '=') {
    entry.section = trim(line.substr(begin + 1, line.find(']', begin) - begin - 1));
    return entry;
  }
  const std::size_t separator = std::min(style.separator == ' ' ? line.find_first_of(kBlanks, begin)
                                                                : line.find(style.separator, begin),
                                         line.size());
  const std::string_view key = trim(line.substr(begin, separator - begin));
  if (key.empty()) return std::nullopt;
  entry.key = style.folds_key ? folded(key) : std::string(key);
  entry.bare = style.separator != ' ' && separator == line.size();
  entry.value_begin =
      std::min(line.find_first_not_of(kBlanks, std::min(separator + 1, line.size())), line.size());
  entry.value_end = value_end(line, entry.value_begin, style);
  entry.value = unquoted(line.substr(entry.value_begin, entry.value_end - entry.value_begin));
  return entry;
}

}  // namespace

std::vector<IniEntry> parse_ini(const File& file, const IniStyle& style) {
  std::vector<IniEntry> entries;
  std::string section;
  const std::string_view text = file.text;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (auto entry = parse_line(text.substr(begin, end - begin), section, style)) {
      if (entry->key.empty()) section = entry->section;
      entry->line_begin = begin;
      entry->value_begin += begin;
      entry->value_end += begin;
      entries.push_back(std::move(*entry));
    }
    begin = end + 1;
  }
  return entries;
}

Edit edit_file(FileEdit file) {
  Edit edit;
  edit.files.push_back(std::move(file));
  return edit;
}

Edit edit_nothing(const File& file, std::size_t offset, std::string_view what) {
  return {.note = fmt::format("{} has {} already", place(file, offset), what)};
}

Edit edit_option(std::string option) { return {.option = std::move(option)}; }

Edit edit_value(const IniPlace& at, std::string_view value) {
  if (at.entry.value == value) {
    return edit_nothing(*at.file, at.entry.line_begin, fmt::format("{} {}", at.entry.key, value));
  }
  const std::size_t length = at.entry.value_end - at.entry.value_begin;
  // Where there was none the key, or a comment, may stand right beside.
  std::string by(value);
  if (length == 0) by = fmt::format(" {}{} ", at.entry.bare ? "= " : "", value);
  return edit_file(replace(*at.file, at.entry.value_begin, length, by));
}

}  // namespace acceptq::config
