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

  // The member `name` (the last one, if there are several); null where this is no object or has
  // none.
  [[nodiscard]] const Node* find(std::string_view name) const;
};

struct Member {
  std::string name;
  Node node;
};

// Arrays and objects inside one another; no schema of ours needs more than 8.
inline constexpr std::size_t kMaxDepth = 64;

// kMalformed with "line L, column C: …" for what is not JSON, or nested deeper than kMaxDepth.
[[nodiscard]] Result<Node> parse(std::string_view text);

// "line L, column C" (both from 1, columns in bytes) of a byte of `text`.
[[nodiscard]] std::string describe_position(std::string_view text, std::size_t offset);

}  // namespace acceptq::facts::json
