#include "cli/keys.h"

#include <algorithm>
#include <optional>

namespace acceptq::cli {
namespace {

constexpr char kEscapeByte = '\x1b';

std::optional<KeyKind> named(std::string_view parameters, char final) {
  switch (final) {
    case 'A':
      return KeyKind::kUp;
    case 'B':
      return KeyKind::kDown;
    case 'H':
      return KeyKind::kHome;
    case 'F':
      return KeyKind::kEnd;
    case '~':
      break;
    default:
      return std::nullopt;
  }
  if (parameters == "5") return KeyKind::kPageUp;
  if (parameters == "6") return KeyKind::kPageDown;
  if (parameters == "1" || parameters == "7") return KeyKind::kHome;
  if (parameters == "4" || parameters == "8") return KeyKind::kEnd;
  return std::nullopt;
}

// Takes "[A", "[5~", "OA" … behind the escape byte off `rest`.
std::optional<KeyKind> take_sequence(std::string_view& rest) {
  const bool is_csi = rest.front() == '[';
  rest.remove_prefix(1);
  const auto is_final = [](char byte) { return byte >= 0x40 && byte <= 0x7e; };
  const auto* final = std::ranges::find_if(rest, is_final);
  const std::string_view parameters =
      rest.substr(0, static_cast<std::size_t>(final - rest.begin()));
  if (final == rest.end()) {
    rest = {};
    return std::nullopt;
  }
  const char last = *final;
  rest.remove_prefix(parameters.size() + 1);
  return is_csi || parameters.empty() ? named(parameters, last) : std::nullopt;
}

}  // namespace

std::vector<Key> parse_keys(std::string_view bytes) {
  std::vector<Key> keys;
  while (!bytes.empty()) {
    const char byte = bytes.front();
    bytes.remove_prefix(1);
    if (byte == kEscapeByte) {
      if (bytes.empty() || (bytes.front() != '[' && bytes.front() != 'O')) {
        keys.push_back({.kind = KeyKind::kEscape});
      } else if (const auto kind = take_sequence(bytes)) {
        keys.push_back({.kind = *kind});
      }
    } else if (byte == '\r' || byte == '\n') {
      keys.push_back({.kind = KeyKind::kEnter});
    } else if (byte == '\b' || byte == '\x7f') {
      keys.push_back({.kind = KeyKind::kErase});
    } else if (byte >= ' ' && byte <= '~') {
      keys.push_back({.kind = KeyKind::kText, .text = byte});
    }
  }
  return keys;
}

}  // namespace acceptq::cli
