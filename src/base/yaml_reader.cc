#include "base/yaml_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace acceptq {

void YamlErrors::add(const YAML::Mark& mark, const std::string& reason) {
  if (first_) return;
  // yaml-cpp counts from 0 and gives -1 where it does not know.
  first_ = Error{ErrorCode::kMalformed, 0,
                 mark.is_null() ? fmt::format("{}: {}", file_name_, reason)
                                : fmt::format("{}:{}:{}: {}", file_name_, mark.line + 1,
                                              mark.column + 1, reason)};
}

YamlMap::YamlMap(const YAML::Node& node, std::string what, YamlErrors& errors)
    : what_(std::move(what)), errors_(errors) {
  if (!node.IsDefined() || !node.IsMap()) {
    errors_.add(node.IsDefined() ? node.Mark() : YAML::Mark::null_mark(),
                what_ + " must be a map of keys and values");
    return;
  }
  node_.reset(node);
  std::set<std::string> seen;
  for (const auto& entry : node_) {
    if (!entry.first.IsScalar()) {
      errors_.add(entry.first.Mark(), what_ + ": a key must be plain text");
      node_.reset(YAML::Node());
      return;
    }
    if (!seen.insert(entry.first.Scalar()).second) {
      errors_.add(entry.first.Mark(),
                  fmt::format("{}: key \"{}\" is there twice", what_, entry.first.Scalar()));
    }
  }
}

YAML::Node YamlMap::child(const char* key) {
  asked_.insert(key);
  if (node_.IsMap()) {
    for (const auto& entry : node_) {
      if (entry.first.Scalar() == key) return entry.second;
    }
  }
  return YAML::Node(YAML::NodeType::Undefined);
}

bool YamlMap::has(const char* key) { return child(key).IsDefined(); }

YAML::Mark YamlMap::mark(const char* key) const {
  if (node_.IsMap()) {
    for (const auto& entry : node_) {
      if (entry.first.Scalar() != key) continue;
      // yaml-cpp puts a value that is not there at the beginning of what comes next.
      return entry.second.IsNull() ? entry.first.Mark() : entry.second.Mark();
    }
  }
  return node_.IsMap() ? node_.Mark() : YAML::Mark::null_mark();
}

void YamlMap::error(const char* key, const std::string& reason) {
  errors_.add(mark(key), fmt::format("{}: \"{}\" {}", what_, key, reason));
}

void YamlMap::entry_error(const char* key, std::size_t index, const std::string& reason) {
  const YAML::Node value = child(key);
  const YAML::Mark place = value.IsSequence() ? value[index].Mark() : mark(key);
  errors_.add(place, fmt::format("{}: \"{}\" {}", what_, key, reason));
}

std::optional<std::string> YamlMap::scalar(const char* key, const char* type) {
  const YAML::Node value = child(key);
  if (!value.IsDefined()) return std::nullopt;
  if (!value.IsScalar()) {
    error(key, fmt::format("must be {}", type));
    return std::nullopt;
  }
  return value.Scalar();
}

std::optional<std::string> YamlMap::optional_text(const char* key) { return scalar(key, "text"); }

std::string YamlMap::text(const char* key) {
  if (!has(key)) error(key, "is missing");
  return optional_text(key).value_or("");
}

std::optional<double> YamlMap::optional_number(const char* key, double least, double most) {
  const std::optional<std::string> value = scalar(key, "a number");
  if (!value) return std::nullopt;
  double number = 0;
  const char* end = value->data() + value->size();
  const std::from_chars_result result = std::from_chars(value->data(), end, number);
  if (result.ec != std::errc{} || result.ptr != end || !std::isfinite(number) || number < least ||
      number > most) {
    error(key, fmt::format("must be a number from {} to {}, not \"{}\"", least, most, *value));
    return std::nullopt;
  }
  return number;
}

std::optional<std::uint64_t> YamlMap::optional_count(const char* key, std::uint64_t least,
                                                     std::uint64_t most) {
  const std::optional<std::string> value = scalar(key, "a whole number");
  if (!value) return std::nullopt;
  const std::optional<std::uint64_t> number = parse_int<std::uint64_t>(*value);
  if (!number || *number < least || *number > most) {
    error(key,
          fmt::format("must be a whole number from {} to {}, not \"{}\"", least, most, *value));
    return std::nullopt;
  }
  return number;
}

double YamlMap::number(const char* key, double least, double most) {
  if (!has(key)) error(key, "is missing");
  return optional_number(key, least, most).value_or(least);
}

std::uint64_t YamlMap::count(const char* key, std::uint64_t least, std::uint64_t most) {
  if (!has(key)) error(key, "is missing");
  return optional_count(key, least, most).value_or(least);
}

std::optional<bool> YamlMap::optional_flag(const char* key) {
  const std::optional<std::string> value = scalar(key, "true or false");
  if (!value) return std::nullopt;
  if (*value == "true") return true;
  if (*value == "false") return false;
  error(key, "must be true or false");
  return std::nullopt;
}

std::vector<std::string> YamlMap::texts(const char* key) {
  const YAML::Node value = child(key);
  std::vector<std::string> list;
  if (!value.IsDefined()) return list;
  if (value.IsScalar()) return {value.Scalar()};
  if (!value.IsSequence()) {
    error(key, "must be text or a list of texts");
    return list;
  }
  for (const auto& entry : value) {
    if (!entry.IsScalar()) {
      errors_.add(entry.Mark(), fmt::format("{}: \"{}\" must hold texts only", what_, key));
      return list;
    }
    list.push_back(entry.Scalar());
  }
  return list;
}

void YamlMap::finish() {
  if (!node_.IsMap()) return;
  for (const auto& entry : node_) {
    const std::string& key = entry.first.Scalar();
    if (asked_.count(key) != 0) continue;
    constexpr std::size_t kLongestToCompare = 64;
    const std::string_view typed = std::string_view(key).substr(0, kLongestToCompare);
    const auto nearest = std::ranges::min_element(
        asked_, {}, [typed](const std::string& known) { return edit_distance(typed, known); });
    std::string meant;
    if (nearest != asked_.end() && edit_distance(typed, *nearest) <= typed.size() / 3 + 1) {
      meant = fmt::format("; did you mean \"{}\"?", *nearest);
    }
    errors_.add(entry.first.Mark(), fmt::format("{}: unknown key \"{}\"{} (known: {})", what_, key,
                                                meant, fmt::join(asked_, ", ")));
    return;
  }
}

}  // namespace acceptq
