#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "cli/change_report.h"
#include "cli/outcome_json.h"
#include "config/takes_effect.h"

namespace acceptq::cli {
namespace {

using Json = nlohmann::ordered_json;

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

const char* end_name(apply::ChangeEnd end) {
  switch (end) {
    case apply::ChangeEnd::kNothingDone:
      return "nothing_done";
    case apply::ChangeEnd::kDone:
      return "done";
    case apply::ChangeEnd::kTakenBack:
      return "taken_back";
    case apply::ChangeEnd::kNotTakenBack:
      return "not_taken_back";
  }
  return "";
}

Json steps_json(const facts::Change& change) {
  Json sysctls = Json::array();
  for (const facts::SysctlStep& step : change.sysctls) {
    sysctls.push_back({{"netns", step.netns.value()}, {"name", step.name}, {"value", step.value}});
  }
  Json files = Json::array();
  for (const facts::FileStep& step : change.files) {
    files.push_back({{"path", escape_bytes(step.path)}, {"new", !step.before.has_value()}});
  }
  Json reloads = Json::array();
  for (const facts::ReloadStep& step : change.reloads) {
    reloads.push_back({{"pid", step.pid.value()},
                       {"name", escape_bytes(step.name)},
                       {"signal", step.signal},
                       {"check", escape_bytes(config::shell_line(step.check))}});
  }
  return {{"sysctls", std::move(sysctls)},
          {"files", std::move(files)},
          {"reloads", std::move(reloads)}};
}

}  // namespace

Json change_json(const ChangeItem& item) {
  Json json = steps_json(item.change);
  Json limits = Json::array();
  for (std::size_t i = 0; i < item.change.limits.size(); ++i) {
    const facts::ExpectedLimit& limit = item.change.limits[i];
    const bool is_seen = item.outcome && i < item.outcome->limits.size();
    limits.push_back({{"netns", limit.netns.value()},
                      {"address", limit.address.to_string()},
                      {"port", limit.port},
                      {"before", or_null(limit.before)},
                      {"expected", or_null(limit.limit)},
                      {"after", is_seen ? or_null(item.outcome->limits[i]) : Json(nullptr)}});
  }
  json["limits"] = std::move(limits);
  json["why"] = escape_bytes(item.why);
  json["id"] = item.id.empty() ? Json(nullptr) : Json(item.id);
  json["end"] = item.outcome ? Json(end_name(item.outcome->end)) : Json(nullptr);
  json["error"] = item.outcome ? error_json(item.outcome->error) : Json(nullptr);
  json["left"] = item.outcome ? errors_json(item.outcome->left) : Json::array();
  json["kept_in"] = item.outcome && !item.outcome->kept_in.empty()
                        ? Json(escape_bytes(item.outcome->kept_in))
                        : Json(nullptr);
  json["journal_errors"] = item.outcome ? errors_json(item.outcome->journal_errors) : Json::array();
  return json;
}

std::string apply_json(const ChangeItem& item, const std::optional<std::string>& refused) {
  const Json json = {{"schema", "acceptq.fix_apply/1"},
                     {"done", !refused && item.done()},
                     {"refused", refused ? Json(escape_bytes(*refused)) : Json(nullptr)},
                     {"objections", objections_json(item.objections)},
                     {"mind", item.mind},
                     {"change", change_json(item)}};
  return printable_json(json.dump(1)) + "\n";
}

}  // namespace acceptq::cli
