// kubectl get pod -o json, docker inspect, crictl inspectp. What they were given is in force in
// their network namespace from its start.
#include "import/json_lines.h"
#include "import/readers.h"
#include "import/workload.h"

namespace acceptq::imports {

Reading read_workload_json(Lines lines, const Typed& typed) {
  if (lines.empty()) return {};
  const std::string_view first = lines[0].text;
  if (!first.starts_with('{') && !first.starts_with('[')) return {};
  // A prompt or a time stamp in brackets.
  if (first.size() > 1 && first.find('"') == std::string_view::npos && first != "[]") return {};
  std::string text;
  const std::size_t used = lines_of_json(lines, typed.json_budget, text);
  if (used == 0) return {};
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded()) return {};
  Descriptions descriptions;
  if (!describe_workloads(json, descriptions)) return {};
  Reading reading{.used = used};
  if (!descriptions.all.empty()) reading.piece = std::move(descriptions);
  return reading;
}

}  // namespace acceptq::imports
