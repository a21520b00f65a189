// A strict reader of YAML maps: every key is known and of the right type, or there is an error with
// its place. The first error sticks and later reads yield defaults, so that the code of a format
// reads as the format and checks once, at its end.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"

namespace acceptq {

class YamlErrors {
 public:
  explicit YamlErrors(std::string file_name) : file_name_(std::move(file_name)) {}
  // Keeps the first.
  void add(const YAML::Mark& mark, const std::string& reason);
  [[nodiscard]] const std::optional<Error>& first() const { return first_; }

 private:
  std::string file_name_;
  std::optional<Error> first_;
};

// One map. finish() must be called once all keys have been asked for.
class YamlMap {
 public:
  // `what` names the map in messages: "server nginx".
  YamlMap(const YAML::Node& node, std::string what, YamlErrors& errors);

  [[nodiscard]] bool has(const char* key);
  // The value of a key that must be there (or may be absent: optional_*).
  std::string text(const char* key);
  std::optional<std::string> optional_text(const char* key);
  std::optional<double> optional_number(const char* key, double least, double most);
  std::optional<std::uint64_t> optional_count(const char* key, std::uint64_t least,
                                              std::uint64_t most);
  double number(const char* key, double least, double most);
  std::uint64_t count(const char* key, std::uint64_t least, std::uint64_t most);
  std::optional<bool> optional_flag(const char* key);
  // A list of texts; a single text is a list of one.
  std::vector<std::string> texts(const char* key);
  // Undefined where absent.
  YAML::Node child(const char* key);
  // Every other key has been asked for, or is an error.
  void finish();
  void error(const char* key, const std::string& reason);
  // About one of the key's texts(), from 0.
  void entry_error(const char* key, std::size_t index, const std::string& reason);
  [[nodiscard]] YAML::Mark mark(const char* key) const;

 private:
  [[nodiscard]] std::optional<std::string> scalar(const char* key, const char* type);
  YAML::Node node_;
  std::string what_;
  YamlErrors& errors_;
  std::set<std::string> asked_;
};

}  // namespace acceptq
