#include "facts/json_value.h"

namespace acceptq::facts::json {

std::string describe(const Node& node) {
  constexpr std::size_t kLongest = 40;
  if (const auto* text = std::get_if<std::string>(&node.value)) {
    const bool cut = text->size() > kLongest;
    return fmt::format("\"{}{}\"", printable(std::string_view(*text).substr(0, kLongest)),
                       cut ? "…" : "");
  }
  if (const auto* flag = std::get_if<bool>(&node.value)) return *flag ? "true" : "false";
  if (const auto* number = std::get_if<std::int64_t>(&node.value))
    return fmt::format("{}", *number);
  if (const auto* number = std::get_if<std::uint64_t>(&node.value)) {
    return fmt::format("{}", *number);
  }
  if (const auto* number = std::get_if<double>(&node.value)) return fmt::format("{}", *number);
  if (std::holds_alternative<std::vector<Node>>(node.value)) return "an array";
  if (std::holds_alternative<std::vector<Member>>(node.value)) return "an object";
  return "null";
}

}  // namespace acceptq::facts::json
