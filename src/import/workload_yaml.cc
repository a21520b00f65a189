// kubectl get pod -o yaml: the same objects as with -o json, whose reader gets them.
#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "base/text.h"
#include "import/prompt.h"
#include "import/readers.h"
#include "import/workload.h"

namespace acceptq::imports {
namespace {

using Json = nlohmann::json;

// Aliases make a small text a large tree.
constexpr int kMostNodes = 1'000'000;
constexpr int kMostDepth = 64;

// As the API's JSON has it: what stands in quotes is text, and so is what is no number.
Json json_of(const YAML::Node& node, int& nodes, int depth) {
  if (++nodes > kMostNodes || depth > kMostDepth) return nullptr;
  if (node.IsMap()) {
    Json object = Json::object();
    for (const auto& member : node) {
      if (member.first.IsScalar()) {
        object[member.first.Scalar()] = json_of(member.second, nodes, depth + 1);
      }
    }
    return object;
  }
  if (node.IsSequence()) {
    Json array = Json::array();
    for (const YAML::Node& item : node) array.push_back(json_of(item, nodes, depth + 1));
    return array;
  }
  if (!node.IsScalar()) return nullptr;
  const bool is_plain = node.Tag() == "?";
  const auto number = parse_int<std::uint64_t>(node.Scalar());
  return is_plain && number ? Json(*number) : Json(node.Scalar());
}

bool is_key(std::string_view line) {
  const std::size_t colon = line.find(':');
  return colon != std::string_view::npos && colon > 0 &&
         (colon + 1 == line.size() || line[colon + 1] == ' ') &&
         std::ranges::all_of(line.substr(0, colon),
                             [](unsigned char c) { return std::isalnum(c) != 0; });
}

bool begins(Lines lines) {
  if (lines.empty() || !lines[0].text.starts_with("apiVersion: ")) return false;
  return lines.size() > 1 && is_key(lines[1].text);
}

}  // namespace

Reading read_workload_yaml(Lines lines, const Typed& typed) {
  if (!begins(lines)) return {};
  Reading reading;
  std::string text;
  for (; reading.used < lines.size(); ++reading.used) {
    const std::string& line = lines[reading.used].text;
    const bool inside = line.empty() || line.starts_with(' ') || line.starts_with("- ") ||
                        line == "-" || is_key(line);
    if (!inside || line == "---") break;
    // Another object behind it.
    if (reading.used > 0 && line.starts_with("apiVersion: ")) break;
    text += line + "\n";
  }
  constexpr std::size_t kMost = std::size_t{8} << 20;
  const bool too_large =
      text.size() > kMost || (typed.json_budget != nullptr && *typed.json_budget < text.size());
  if (too_large) {
    reading.problems.push_back({lines[0].number, "YAML of more than 8 MiB"});
    return reading;
  }
  if (typed.json_budget != nullptr) *typed.json_budget -= text.size();
  Descriptions descriptions;
  try {
    int nodes = 0;
    describe_workloads(json_of(YAML::Load(text), nodes, 0), descriptions);
  } catch (const YAML::Exception& error) {
    const auto line = static_cast<std::size_t>(std::max(error.mark.line, 0));
    const std::size_t at = std::min(line, reading.used - 1);
    reading.problems.push_back({lines[at].number, "YAML that cannot be read: " + error.msg});
  }
  if (!descriptions.all.empty()) reading.piece = std::move(descriptions);
  return reading;
}

}  // namespace acceptq::imports
