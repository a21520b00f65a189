// What was typed, from the bytes that a terminal sends. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace acceptq::cli {

enum class KeyKind { kText, kUp, kDown, kPageUp, kPageDown, kHome, kEnd, kEnter, kEscape, kErase };

struct Key {
  KeyKind kind = KeyKind::kText;
  char text = 0;  // printable ASCII, for kText

  friend bool operator==(const Key&, const Key&) = default;
};

// The keys of one read: an escape byte alone is the Escape key, one that begins a sequence (CSI or
// SS3) is an arrow or the like. Sequences and bytes that mean nothing here are passed over.
[[nodiscard]] std::vector<Key> parse_keys(std::string_view bytes);

}  // namespace acceptq::cli
