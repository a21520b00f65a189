#include "render/term.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/text.h"

namespace acceptq::render {
namespace {

bool continues(char byte) { return (static_cast<std::uint8_t>(byte) & 0xC0U) == 0x80U; }

bool is_ascii(char byte) { return static_cast<std::uint8_t>(byte) < 0x80U; }

}  // namespace

std::string ink(const TermStyle& style, Ink ink, std::string_view text) {
  if (!style.color || ink == Ink::kPlain) return std::string(text);
  constexpr const char* kCodes[] = {"0", "1", "2", "31;1", "33;1", "32"};
  return std::string("\x1b[") + kCodes[static_cast<int>(ink)] + "m" + std::string(text) + "\x1b[0m";
}

std::string for_terminal(const TermStyle& style, std::string_view page) {
  std::string text = printable_page(page, style.color);
  if (style.unicode || std::ranges::all_of(text, is_ascii)) return text;
  constexpr std::pair<std::string_view, std::string_view> kSpellings[] = {
      {"…", "..."}, {"–", "-"},  {"’", "'"}, {"“", "\""}, {"”", "\""}, {"·", "-"},
      {"≥", ">="},  {"≤", "<="}, {"×", "x"}, {"→", "->"}, {"≈", "~"},  {"¾", "3/4"}};
  std::string out;
  for (std::string_view rest = text; !rest.empty();) {
    const auto* known = std::ranges::find_if(
        kSpellings, [rest](const auto& spelling) { return rest.starts_with(spelling.first); });
    if (known != std::end(kSpellings)) {
      out += known->second;
      rest.remove_prefix(known->first.size());
      continue;
    }
    if (is_ascii(rest.front())) {
      out += rest.front();
    } else {
      out += fmt::format("\\x{:02x}", static_cast<std::uint8_t>(rest.front()));
    }
    rest.remove_prefix(1);
  }
  return out;
}

int columns(std::string_view text) {
  return static_cast<int>(std::ranges::count_if(text, [](char byte) { return !continues(byte); }));
}

std::string fit(std::string_view text, int width) {
  std::string out;
  int used = 0;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t next = i + 1;
    while (next < text.size() && continues(text[next])) ++next;
    if (used == width) break;
    out.append(text.substr(i, next - i));
    ++used;
    i = next;
  }
  out.append(static_cast<std::size_t>(std::max(0, width - used)), ' ');
  return out;
}

std::string_view last_columns(std::string_view text, int count) {
  std::size_t begin = text.size();
  for (int taken = 0; begin > 0 && taken < count; ++taken) {
    --begin;
    while (begin > 0 && continues(text[begin])) --begin;
  }
  return text.substr(begin);
}

std::string wrap(const TermStyle& style, int indent, std::string_view text) {
  constexpr int kNarrowest = 20;
  const int room = std::max(style.width - indent, kNarrowest);
  const std::string margin(static_cast<std::size_t>(indent), ' ');
  std::string out;
  while (!text.empty()) {
    const std::string_view paragraph = next_line(text);
    std::string line;
    for (const std::string_view word : split_blank(paragraph)) {
      if (!line.empty() && columns(line) + 1 + columns(word) > room) {
        out += margin + line + "\n";
        line.clear();
      }
      if (!line.empty()) line += ' ';
      line += word;
    }
    out += line.empty() ? "\n" : margin + line + "\n";
  }
  return out;
}

std::string bar(const TermStyle& style, double share, int width) {
  const double clamped = std::clamp(share, 0.0, 1.0);
  int filled = static_cast<int>(std::lround(clamped * width));
  if (clamped > 0) filled = std::max(filled, 1);
  std::string out;
  for (int i = 0; i < width; ++i) {
    const bool full = i < filled;
    if (style.unicode) {
      out += full ? "█" : "░";
    } else {
      out += full ? '#' : '.';
    }
  }
  return out;
}

}  // namespace acceptq::render
