// Cuts text into blocks of evidence by what they look like, and says of each where it was taken and
// when, as far as the text tells.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "import/pieces.h"
#include "import/text.h"

namespace acceptq::imports {

// When a block was taken. Two of them tell the time between them, or not.
struct Moment {
  std::optional<double> at;  // by the last date, watch or prompt with a clock before it
  std::uint32_t told = 0;    // how many of these there have been
  double slept = 0;          // by `sleep` since the beginning
  std::uint32_t said = 0;    // lines before it that are neither evidence nor of time: "node B:"
};

[[nodiscard]] std::optional<double> seconds_between(const Moment& from, const Moment& to);
// Whether the two can be of one thing: between them nothing was said that may name another.
[[nodiscard]] bool may_be_compared(const Moment& from, const Moment& to);

struct Block {
  std::string context;  // "pod shop/web-1", "host node-1"; empty: the text does not say where
  Moment moment;
  std::uint32_t line = 0;  // its first
  std::string command;     // that printed it; empty: not known
  Piece piece;
};

struct Recognised {
  std::vector<Block> blocks;
  std::vector<Problem> problems;
  std::string host;  // by prompts, where these name only one
};

// `command` printed them, where that is known.
[[nodiscard]] Recognised recognise(Lines lines, std::string_view command = {});

}  // namespace acceptq::imports
