#include "base/bytes.h"

#include <cstdint>

#include "base/text.h"

namespace acceptq {
namespace {

// Length of the valid UTF-8 sequence at the front (RFC 3629), 0 where there is none.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  std::size_t length = 0;
  std::uint32_t code = 0;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
    code = lead & 0x1FU;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    code = lead & 0x0FU;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    code = lead & 0x07U;
  }
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return 0;
    code = code << 6U | (byte(i) & 0x3FU);
  }
  constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  return code >= kSmallest[length] && code <= 0x10FFFF && !surrogate ? length : 0;
}

void append_hex(std::string& out, char byte) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto value = static_cast<std::uint8_t>(byte);
  out.append("\\x").push_back(kDigits[value >> 4U]);
  out.push_back(kDigits[value & 0xFU]);
}

// C0, DEL, and C1, which some terminals obey when it comes as UTF-8.
bool is_control(std::string_view sequence) {
  const auto lead = static_cast<std::uint8_t>(sequence[0]);
  if (sequence.size() == 1) return lead < 0x20 || lead == 0x7F;
  return sequence.size() == 2 && lead == 0xC2 && static_cast<std::uint8_t>(sequence[1]) < 0xA0;
}

template <typename Escape>
std::string transform(std::string_view bytes, const Escape& escape) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t length = sequence_length(bytes);
    const std::string_view sequence = bytes.substr(0, length == 0 ? 1 : length);
    if (length == 0 || !escape(sequence, out)) {
      if (length == 0) {
        append_hex(out, sequence[0]);
      } else {
        out.append(sequence);
      }
    }
    bytes.remove_prefix(sequence.size());
  }
  return out;
}

}  // namespace

std::string escape_bytes(std::string_view bytes) {
  return transform(bytes, [](std::string_view sequence, std::string& out) {
    if (sequence != "\\") return false;
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

std::string printable(std::string_view bytes) {
  return transform(bytes, [](std::string_view sequence, std::string& out) {
    if (!is_control(sequence)) return false;
    for (const char byte : sequence) append_hex(out, byte);
    return true;
  });
}

}  // namespace acceptq
