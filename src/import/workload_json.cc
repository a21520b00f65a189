// kubectl get pod -o json, docker inspect, crictl inspectp: the sysctls that a pod or container was
// given. They are in force in its network namespace from its start.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "facts/namespace.h"
#include "import/json_lines.h"
#include "import/readers.h"

namespace acceptq::imports {
namespace {

using Json = nlohmann::json;

const Json* member(const Json& json, std::initializer_list<const char*> path) {
  const Json* at = &json;
  for (const char* name : path) {
    if (!at->is_object()) return nullptr;
    const auto found = at->find(name);
    if (found == at->end()) return nullptr;
    at = &*found;
  }
  return at;
}

std::string text_of(const Json* json) {
  return json != nullptr && json->is_string() ? json->get<std::string>() : "";
}

void add_setting(const std::string& name, const Json* value, Settings& settings) {
  const bool wanted =
      std::ranges::any_of(facts::kListenSysctls, [&](const char* known) { return name == known; });
  const auto number = parse_int<std::int64_t>(text_of(value));
  if (wanted && number) settings.values.push_back({name, *number});
}

// One with hostNetwork has none of its own.
std::optional<Settings> of_pod(const Json& json) {
  if (text_of(member(json, {"kind"})) != "Pod" || member(json, {"status", "phase"}) == nullptr) {
    return std::nullopt;  // a manifest is what somebody wants
  }
  Settings settings;
  const std::string name = text_of(member(json, {"metadata", "name"}));
  const std::string ns = text_of(member(json, {"metadata", "namespace"}));
  settings.contexts = {"pod " + ns + (ns.empty() ? "" : "/") + name, "pod " + name};
  const Json* sysctls = member(json, {"spec", "securityContext", "sysctls"});
  if (sysctls == nullptr || !sysctls->is_array()) return settings;
  for (const Json& sysctl : *sysctls) {
    add_setting(text_of(member(sysctl, {"name"})), member(sysctl, {"value"}), settings);
  }
  return settings;
}

std::optional<Settings> of_container(const Json& json) {
  const std::string id = text_of(member(json, {"Id"}));
  if (id.size() < 12 || member(json, {"HostConfig"}) == nullptr) return std::nullopt;
  Settings settings;
  std::string name = text_of(member(json, {"Name"}));
  if (name.starts_with('/')) name.erase(0, 1);
  settings.contexts = {"container " + name, "container " + id};
  if (const Json* pid = member(json, {"State", "Pid"}); pid != nullptr && pid->is_number()) {
    settings.contexts.push_back("network namespace of pid " + pid->dump());
  }
  const Json* sysctls = member(json, {"HostConfig", "Sysctls"});
  if (sysctls == nullptr || !sysctls->is_object()) return settings;
  for (const auto& [sysctl, value] : sysctls->items()) add_setting(sysctl, &value, settings);
  return settings;
}

}  // namespace

Reading read_workload_json(Lines lines, const Typed& typed) {
  if (lines.empty()) return {};
  const std::string_view first = lines[0].text;
  if (!first.starts_with('{') && !first.starts_with('[')) return {};
  // A prompt or a time stamp in brackets.
  if (first.size() > 1 && first.find('"') == std::string_view::npos && first != "[]") return {};
  std::string text;
  const std::size_t used = lines_of_json(lines, typed.json_budget, text);
  if (used == 0) return {};
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return {};
  // The first that has any: several pods in one list are too many to be joined with one paste.
  const Json* items = member(json, {"items"});
  const Json& all = items != nullptr ? *items : json;
  Reading reading;
  const auto take = [&](const Json& one) {
    std::optional<Settings> settings = of_pod(one);
    if (!settings) settings = of_container(one);
    if (!settings) return;
    reading.used = used;
    const bool free = std::holds_alternative<std::monostate>(reading.piece);
    if (free && !settings->values.empty()) reading.piece = std::move(*settings);
  };
  if (all.is_array()) {
    for (const Json& one : all) take(one);
  } else {
    take(all);
  }
  return reading;
}

}  // namespace acceptq::imports
