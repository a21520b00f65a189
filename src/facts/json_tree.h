// JSON text as a tree that knows where in the text each value began, so that a reader can say which
// line is wrong. Private to facts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace acceptq::facts::json {

struct Member;

struct Node {
  std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string,
               std::vector<Node>, std::vector<Member>>
      value;  // int64_t only for negative numbers
  std::size_t offset = 0;

  // The member `name`; null where this is no object or has none.
  [[nodiscard]] const Node* find(std::string_view name) const;
};

struct Member {
  std::string name;
  Node node;
};

// Arrays and objects inside one another; no schema of ours needs more than 8.
inline constexpr std::size_t kMaxDepth = 64;
// Values in all: a recording of 64 MiB holds half as many, and a text made to fill memory ("0,0,0")
// is refused before it does.
inline constexpr std::size_t kMaxValues = 6'000'000;

// kMalformed with "line L, column C: …" for what is not JSON, nested deeper than kMaxDepth, of more
// values than `max_values`, or has two members of one name in one object.
[[nodiscard]] Result<Node> parse(std::string_view text, std::size_t max_values = kMaxValues);

// "line L, column C" (both from 1, columns in bytes) of a byte of `text`.
[[nodiscard]] std::string describe_position(std::string_view text, std::size_t offset);

}  // namespace acceptq::facts::json
