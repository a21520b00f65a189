#include "config/edit.h"

#include <algorithm>
#include <utility>

namespace acceptq::config {
namespace {

std::string_view line_end_of(std::string_view text) {
  const std::size_t newline = text.find('\n');
  const bool crlf = newline != std::string_view::npos && newline > 0 && text[newline - 1] == '\r';
  return crlf ? "\r\n" : "\n";
}

}  // namespace

bool is_continued(std::string_view lines) {
  if (lines.ends_with('\n')) lines.remove_suffix(1);
  if (lines.ends_with('\r')) lines.remove_suffix(1);
  return lines.ends_with('\\');
}

std::size_t line_at(std::string_view text, std::size_t offset) {
  return static_cast<std::size_t>(std::ranges::count(text.substr(0, offset), '\n')) + 1;
}

std::string place(const File& file, std::size_t offset) {
  return file.path + ":" + std::to_string(line_at(file.text, offset));
}

Error malformed(const File& file, std::size_t offset, std::string_view what) {
  return {ErrorCode::kMalformed, 0, place(file, offset) + ": " + std::string(what)};
}

Error too_deep(std::string_view here) {
  return {ErrorCode::kMalformed, 0,
          std::string(here) + ": files include each other too deeply, perhaps without end"};
}

Error too_many_files(const File& file) {
  return {ErrorCode::kMalformed, 0,
          file.path + ": more than " + std::to_string(kMaxIncludedFiles) + " files are included"};
}

Error of_include(std::string_view here, const Error& error) {
  if (error.code == ErrorCode::kMalformed) return error;
  return {ErrorCode::kMalformed, 0, std::string(here) + ": " + error.message()};
}

FileEdit replace(const File& file, std::size_t offset, std::size_t length, std::string_view by) {
  std::string after = file.text;
  after.replace(offset, length, by);
  return {.path = file.path,
          .before = file.text,
          .after = std::move(after),
          .line = line_at(file.text, offset),
          .replaced = file.text.substr(offset, length)};
}

FileEdit insert_line_after(const File& file, std::size_t offset, std::string_view line,
                           std::size_t like) {
  const std::string_view text = file.text;
  const std::size_t newline = text.find('\n', offset);
  const std::size_t before = text.substr(0, like).rfind('\n');
  const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
  const std::size_t indented = std::min(text.find_first_not_of(" \t", begin), text.size());
  const std::string whole = std::string(text.substr(begin, indented - begin)) + std::string(line);
  if (newline == std::string_view::npos) return append_line(file, whole);
  return replace(file, newline + 1, 0, whole + std::string(line_end_of(text)));
}

FileEdit append_line(const File& file, std::string_view line) {
  const std::string_view end = line_end_of(file.text);
  std::string whole;
  if (!file.text.empty() && file.text.back() != '\n') whole += end;
  // A backslash before the last line end would join the new line to what is there.
  if (is_continued(file.text)) whole += end;
  whole += line;
  whole += end;
  return replace(file, file.text.size(), 0, whole);
}

std::string absolute(std::string_view name, std::string_view directory) {
  if (name.starts_with('/')) return std::string(name);
  std::string path(directory);
  if (!path.ends_with('/')) path += '/';
  path += name;
  return path;
}

std::string_view directory_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace acceptq::config
