#include "import/text.h"

#include <algorithm>

#include "base/text.h"

namespace acceptq::imports {
namespace {

void append_utf8(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0U | (c >> 6U));
    out += static_cast<char>(0x80U | (c & 0x3FU));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0U | (c >> 12U));
    out += static_cast<char>(0x80U | ((c >> 6U) & 0x3FU));
    out += static_cast<char>(0x80U | (c & 0x3FU));
  } else {
    out += static_cast<char>(0xF0U | (c >> 18U));
    out += static_cast<char>(0x80U | ((c >> 12U) & 0x3FU));
    out += static_cast<char>(0x80U | ((c >> 6U) & 0x3FU));
    out += static_cast<char>(0x80U | (c & 0x3FU));
  }
}

std::string from_utf16(std::string_view bytes, bool big_endian) {
  std::string out;
  out.reserve(bytes.size() / 2);
  std::uint32_t high = 0;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
    const auto first = static_cast<std::uint8_t>(bytes[i]);
    const auto second = static_cast<std::uint8_t>(bytes[i + 1]);
    const std::uint32_t unit = big_endian ? first * 256U + second : second * 256U + first;
    if (unit >= 0xD800 && unit < 0xDC00) {
      high = unit;
    } else if (unit >= 0xDC00 && unit < 0xE000) {
      if (high != 0) append_utf8(out, 0x10000 + ((high - 0xD800) << 10U) + (unit - 0xDC00));
      high = 0;
    } else {
      append_utf8(out, unit);
    }
  }
  return out;
}

// The end of an escape sequence that begins at `at`: CSI up to its final byte, OSC up to BEL or ST,
// two characters else.
std::size_t end_of_escape(std::string_view text, std::size_t at) {
  if (at + 1 >= text.size()) return text.size();
  if (text[at + 1] == '[') {
    std::size_t end = at + 2;
    while (end < text.size() && (text[end] < '@' || text[end] > '~')) ++end;
    return std::min(end + 1, text.size());
  }
  if (text[at + 1] == ']') {
    std::size_t end = at + 2;
    while (end < text.size() && text[end] != '\a' && text[end] != '\x1b') ++end;
    if (end < text.size() && text[end] == '\x1b') ++end;
    return std::min(end + 1, text.size());
  }
  return at + 2;
}

enum class Tabs : std::uint8_t { kAsBlanks, kAsTheyAre };

// Without escape sequences and control characters.
std::string plain(std::string_view text, Tabs tabs) {
  constexpr std::string_view kNoBreak = "\xC2\xA0";
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '\x1b') {
      i = end_of_escape(text, i);
    } else if (text.substr(i, 2) == kNoBreak) {
      out += ' ';
      i += 2;
    } else {
      const auto byte = static_cast<std::uint8_t>(text[i]);
      const bool is_kept = byte >= 0x20 || (text[i] == '\t' && tabs == Tabs::kAsTheyAre);
      out += byte == 0x7F || !is_kept ? ' ' : text[i];
      ++i;
    }
  }
  return out;
}

// "> > text", as mail and Markdown quote.
std::string_view without_quote(std::string_view line) {
  while (true) {
    const std::size_t at = line.find_first_not_of(' ');
    if (at > 3 || line[at] != '>') return line;  // or nothing but blanks
    line.remove_prefix(at + 1);
    if (line.starts_with(' ')) line.remove_prefix(1);
  }
}

bool is_fence(std::string_view line) {
  const std::string_view text = trim(line);
  return text.starts_with("```") || text.starts_with("~~~");
}

}  // namespace

std::optional<std::string> decode_utf16(std::string_view bytes) {
  const bool big_endian = bytes.starts_with("\xFE\xFF");
  if (!big_endian && !bytes.starts_with("\xFF\xFE")) return std::nullopt;
  return from_utf16(bytes.substr(2), big_endian);
}

Result<std::vector<Line>> normalize_text(std::string_view bytes) {
  const std::optional<std::string> decoded = decode_utf16(bytes);
  if (decoded) {
    bytes = *decoded;
  } else if (bytes.starts_with("\xEF\xBB\xBF")) {
    bytes.remove_prefix(3);
  }
  if (bytes.find('\0') != std::string_view::npos) {
    return fail(ErrorCode::kMalformed, "it is no text");
  }
  std::vector<Line> lines;
  std::uint32_t number = 0;
  while (!bytes.empty()) {
    std::string_view given = next_line(bytes);
    if (given.ends_with('\r')) given.remove_suffix(1);
    const std::string text = plain(given, Tabs::kAsBlanks);
    ++number;
    std::string_view kept = without_quote(text);
    if (is_fence(kept)) kept = {};
    const std::size_t end = kept.find_last_not_of(' ');
    kept = kept.substr(0, end == std::string_view::npos ? 0 : end + 1);
    Line& line = lines.emplace_back(Line{.number = number, .text = std::string(kept), .exact = {}});
    const bool is_exact = given.find('\t') == std::string_view::npos && !given.ends_with(' ');
    if (is_exact || kept.empty()) continue;
    line.exact = std::string(without_quote(plain(given, Tabs::kAsTheyAre)));
  }
  return lines;
}

}  // namespace acceptq::imports
