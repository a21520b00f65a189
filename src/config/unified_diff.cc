#include "config/unified_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

namespace acceptq::config {
namespace {

using Lines = std::vector<std::string_view>;

// Each with its newline; the last may have none.
Lines lines_of(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const std::size_t newline = text.find('\n');
    const std::size_t length = newline == std::string_view::npos ? text.size() : newline + 1;
    lines.push_back(text.substr(0, length));
    text.remove_prefix(length);
  }
  return lines;
}

// As a name in a header. A blank ends a name unless a tab follows it; other bytes are written as C
// does.
std::string header_name(std::string_view name) {
  const bool plain = std::ranges::none_of(
      name, [](unsigned char c) { return c < ' ' || c == '"' || c == '\\' || c >= 0x7f; });
  if (plain) return std::string(name) + (name.find(' ') != std::string_view::npos ? "\t" : "");
  std::string quoted = "\"";
  for (const unsigned char c : name) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += static_cast<char>(c);
    } else if (c < ' ' || c >= 0x7f) {
      quoted += fmt::format("\\{:03o}", c);
    } else {
      quoted += static_cast<char>(c);
    }
  }
  return quoted + '"';
}

std::string prefixed(std::string_view prefix, std::string_view path) {
  return header_name(std::string(prefix) + (path.starts_with('/') ? "" : "/") + std::string(path));
}

void add_lines(std::string& diff, char mark, const Lines& lines, std::size_t begin,
               std::size_t end) {
  for (std::size_t i = begin; i < end; ++i) {
    diff += mark;
    diff += lines[i];
    if (!lines[i].ends_with('\n')) diff += "\n\\ No newline at end of file\n";
  }
}

// "3,7", "3" for one line; none begin at the line before.
std::string range(std::size_t begin, std::size_t count) {
  if (count == 1) return std::to_string(begin + 1);
  return fmt::format("{},{}", count == 0 ? begin : begin + 1, count);
}

}  // namespace

std::string unified_diff(const FileEdit& edit) {
  constexpr std::size_t kContext = 3;
  const Lines before = lines_of(edit.before ? std::string_view(*edit.before) : std::string_view());
  const Lines after = lines_of(edit.after);
  const std::size_t shorter = std::min(before.size(), after.size());
  std::size_t head = 0;
  while (head < shorter && before[head] == after[head]) ++head;
  std::size_t tail = 0;
  while (tail < shorter - head &&
         before[before.size() - 1 - tail] == after[after.size() - 1 - tail]) {
    ++tail;
  }
  if (head == before.size() && head == after.size()) return {};
  const std::size_t begin = head - std::min(head, kContext);
  const std::size_t behind = std::min(tail, kContext);
  const std::size_t old_end = before.size() - tail;
  const std::size_t new_end = after.size() - tail;
  std::string diff =
      fmt::format("--- {}\n+++ {}\n@@ -{} +{} @@\n",
                  edit.before ? prefixed("a", edit.path) : "/dev/null", prefixed("b", edit.path),
                  range(begin, old_end + behind - begin), range(begin, new_end + behind - begin));
  add_lines(diff, ' ', before, begin, head);
  add_lines(diff, '-', before, head, old_end);
  add_lines(diff, '+', after, head, new_end);
  add_lines(diff, ' ', before, old_end, old_end + behind);
  return diff;
}

}  // namespace acceptq::config
