#include "render/remedy_json.h"

#include <nlohmann/json.hpp>

#include "base/bytes.h"

namespace acceptq::render {

nlohmann::ordered_json remedy_json(const diagnose::Remedy& remedy) {
  using Json = nlohmann::ordered_json;
  return {{"form", remedy.form},
          {"summary", escape_bytes(remedy.summary)},
          {"content", escape_bytes(remedy.content)},
          {"takes_effect", remedy.takes_effect},
          {"then", remedy.then.empty() ? Json(nullptr) : Json(escape_bytes(remedy.then))}};
}

}  // namespace acceptq::render
