#include "base/bytes.h"

#include <cstdint>

#include "base/text.h"

namespace acceptq {
namespace {

// One character of UTF-8 (RFC 3629). Length 0: the text does not begin with one.
struct Character {
  std::size_t length = 0;
  char32_t code = 0;
};

Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return {1, lead};
  Character found;
  if (lead >= 0xC2 && lead <= 0xDF) {
    found = {2, lead & 0x1FU};
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    found = {3, lead & 0x0FU};
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    found = {4, lead & 0x07U};
  }
  if (found.length == 0 || text.size() < found.length) return {};
  for (std::size_t i = 1; i < found.length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return {};
    found.code = found.code << 6U | (byte(i) & 0x3FU);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = found.code >= 0xD800 && found.code <= 0xDFFF;
  const bool valid = found.code >= kSmallest[found.length] && found.code <= 0x10FFFF && !surrogate;
  return valid ? found : Character{};
}

void append_hex(std::string& out, char byte) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto value = static_cast<std::uint8_t>(byte);
  out.append("\\x").push_back(kDigits[value >> 4U]);
  out.push_back(kDigits[value & 0xFU]);
}

// What a terminal obeys or does not show: C0, DEL and C1 controls (some terminals obey C1 when it
// comes as UTF-8), and what Unicode calls default-ignorable or a format character
// (DerivedCoreProperties.txt, general category Cf), without the few of single scripts that show.
bool is_hidden(char32_t code) {
  struct Range {
    char32_t first;
    char32_t last;
  };
  constexpr Range kHidden[] = {
      {0x00, 0x1F},        // C0
      {0x7F, 0x9F},        // DEL, C1
      {0xAD, 0xAD},        // soft hyphen
      {0x34F, 0x34F},      // combining grapheme joiner
      {0x61C, 0x61C},      // Arabic letter mark
      {0x115F, 0x1160},    // Hangul fillers
      {0x17B4, 0x17B5},    // Khmer vowels without a form
      {0x180B, 0x180F},    // Mongolian selectors and separator
      {0x200B, 0x200F},    // of no width; joiners; direction marks
      {0x2028, 0x202E},    // line and paragraph separators; direction embeddings and overrides
      {0x2060, 0x206F},    // word joiner, invisible operators, direction isolates
      {0x3164, 0x3164},    // Hangul filler
      {0xFE00, 0xFE0F},    // variation selectors
      {0xFEFF, 0xFEFF},    // byte order mark
      {0xFFA0, 0xFFA0},    // halfwidth Hangul filler
      {0xFFF0, 0xFFFB},    // specials
      {0x1BCA0, 0x1BCA3},  // shorthand format controls
      {0x1D173, 0x1D17A},  // musical format controls
      {0xE0000, 0xE0FFF},  // tags, variation selectors
  };
  if (code >= 0x20 && code < 0x7F) return false;
  for (const Range& range : kHidden) {
    if (code >= range.first && code <= range.last) return true;
  }
  return false;
}

// Each character as it is, unless `escape(character, text from there, out)` has written something
// in its place; bytes that are no character as \xHH.
template <typename Escape>
std::string transform(std::string_view bytes, const Escape& escape) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const Character character = first_character(bytes);
    if (character.length == 0) {
      append_hex(out, bytes.front());
      bytes.remove_prefix(1);
      continue;
    }
    if (!escape(character, bytes, out)) out.append(bytes.substr(0, character.length));
    bytes.remove_prefix(character.length);
  }
  return out;
}

bool escape_hidden(const Character& character, std::string_view bytes, std::string& out) {
  if (!is_hidden(character.code)) return false;
  for (const char byte : bytes.substr(0, character.length)) append_hex(out, byte);
  return true;
}

// "ESC [ 31;1 m": does nothing but change the ink of what follows.
bool begins_with_style(std::string_view text) {
  if (!text.starts_with("\x1b[")) return false;
  const std::size_t end = text.find_first_not_of("0123456789;", 2);
  return end != std::string_view::npos && text[end] == 'm';
}

void append_unicode_escape(std::string& out, char32_t code) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += "\\u";
  for (unsigned shift = 16; shift > 0; shift -= 4) out += kDigits[code >> (shift - 4) & 0xFU];
}

}  // namespace

std::string escape_bytes(std::string_view bytes) {
  return transform(bytes, [](const Character& character, std::string_view, std::string& out) {
    if (character.code != U'\\') return false;
    out.append("\\\\");
    return true;
  });
}

std::optional<std::string> unescape_bytes(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    if (text.front() != '\\') {
      out.push_back(text.front());
      text.remove_prefix(1);
    } else if (text.starts_with("\\\\")) {
      out.push_back('\\');
      text.remove_prefix(2);
    } else if (text.starts_with("\\x") && text.size() >= 4) {
      const auto value = parse_int<std::uint8_t>(text.substr(2, 2), 16);
      if (!value) return std::nullopt;
      out.push_back(static_cast<char>(*value));
      text.remove_prefix(4);
    } else {
      return std::nullopt;
    }
  }
  return out;
}

std::string printable(std::string_view bytes) { return transform(bytes, escape_hidden); }

std::string printable_page(std::string_view page, bool styled) {
  return transform(
      page, [styled](const Character& character, std::string_view from_here, std::string& out) {
        const bool kept = character.code == U'\n' || character.code == U'\t';
        if (kept || (styled && begins_with_style(from_here))) return false;
        return escape_hidden(character, from_here, out);
      });
}

std::string printable_json(std::string_view json) {
  return transform(json, [](const Character& character, std::string_view, std::string& out) {
    if (character.code == U'\n' || !is_hidden(character.code)) return false;
    constexpr char32_t kFirstBeyond = 0x10000;  // two surrogates from here on (RFC 8259, section 7)
    if (character.code < kFirstBeyond) {
      append_unicode_escape(out, character.code);
    } else {
      const char32_t rest = character.code - kFirstBeyond;
      append_unicode_escape(out, 0xD800 + (rest >> 10U));
      append_unicode_escape(out, 0xDC00 + (rest & 0x3FFU));
    }
    return true;
  });
}

std::string decode_octal_escapes(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  while (!text.empty()) {
    if (text.front() == '\\' && text.size() >= 4) {
      const std::optional<std::uint8_t> byte = parse_int<std::uint8_t>(text.substr(1, 3), 8);
      if (byte) {
        plain.push_back(static_cast<char>(*byte));
        text.remove_prefix(4);
        continue;
      }
    }
    plain.push_back(text.front());
    text.remove_prefix(1);
  }
  return plain;
}

}  // namespace acceptq
