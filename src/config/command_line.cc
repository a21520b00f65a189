#include "config/command_line.h"

namespace acceptq::config {
namespace {

// What follows the name in the same word; empty where the value is the next word; nothing where it
// is another option.
std::optional<std::string_view> behind_name(std::string_view word, std::string_view name) {
  if (!word.starts_with(name)) return std::nullopt;
  std::string_view rest = word.substr(name.size());
  if (rest.empty() || !name.starts_with("--")) return rest;
  if (rest[0] != '=') return std::nullopt;
  return rest.substr(1);
}

}  // namespace

std::vector<std::string> option_values(const std::vector<std::string>& arguments,
                                       std::initializer_list<std::string_view> names) {
  std::vector<std::string> values;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    for (const std::string_view name : names) {
      const std::optional<std::string_view> rest = behind_name(arguments[i], name);
      if (!rest) continue;
      if (!rest->empty()) {
        values.emplace_back(*rest);
      } else if (arguments[i].size() == name.size() && i + 1 < arguments.size()) {
        values.push_back(arguments[++i]);
      }
      break;
    }
  }
  return values;
}

std::optional<std::string> option_value(const std::vector<std::string>& arguments,
                                        std::initializer_list<std::string_view> names) {
  std::vector<std::string> values = option_values(arguments, names);
  if (values.empty()) return std::nullopt;
  return std::move(values.back());
}

}  // namespace acceptq::config
