#include "cli/outcome_json.h"

#include <nlohmann/json.hpp>

#include "base/bytes.h"

namespace acceptq::cli {

using Json = nlohmann::ordered_json;

Json error_json(const std::optional<Error>& error) {
  return error ? Json(escape_bytes(error->message())) : Json(nullptr);
}

Json errors_json(const std::vector<Error>& errors) {
  Json json = Json::array();
  for (const Error& error : errors) json.push_back(error_json(error));
  return json;
}

Json objections_json(const std::vector<remedy::LiveObjection>& objections) {
  Json json = Json::array();
  for (const remedy::LiveObjection& objection : objections) {
    json.push_back(
        {{"kind", remedy::objection_name(objection.kind)}, {"text", escape_bytes(objection.text)}});
  }
  return json;
}

}  // namespace acceptq::cli
