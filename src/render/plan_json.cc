#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "diagnose/cause_kind.h"
#include "facts/json.h"
#include "render/names.h"
#include "render/plan_text.h"
#include "render/remedy_json.h"

namespace acceptq::render {
namespace {

using Json = nlohmann::ordered_json;

Json way_json(const remedy::Way& way) {
  Json json = remedy_json(way.remedy);
  Json pieces = Json::array();
  for (const remedy::Piece& piece : way.pieces) {
    pieces.push_back({{"where", escape_bytes(piece.where)}, {"text", escape_bytes(piece.text)}});
  }
  json["pieces"] = std::move(pieces);
  json["can_apply"] = !way.change.empty();
  return json;
}

Json knob_json(const remedy::Knob& knob) {
  Json ways = Json::array();
  for (const remedy::Way& way : knob.ways) ways.push_back(way_json(way));
  return {{"name", escape_bytes(knob.name)},
          {"now", knob.now ? Json(*knob.now) : Json(nullptr)},
          {"by_default", knob.by_default},
          {"wanted", knob.wanted},
          {"binds", knob.binds},
          {"ways", std::move(ways)}};
}

Json plan_json(const remedy::Plan& plan, const facts::Listener& listener,
               const diagnose::ListenerReport& report) {
  Json first = Json::array();
  for (const remedy::Way& way : plan.first) first.push_back(way_json(way));
  Json knobs = Json::array();
  for (const remedy::Knob& knob : plan.knobs) knobs.push_back(knob_json(knob));
  Json target = nullptr;
  if (plan.target) {
    target = {{"limit", plan.target->limit},
              {"given", plan.target->given},
              {"why", escape_bytes(plan.target->why)}};
  }
  return {{"listener", escape_bytes(plan.listener)},
          {"verdict", name_of(report.verdict)},
          {"limit", listener.limit ? Json(listener.limit->value()) : Json(nullptr)},
          {"limit_set_by", name_of(report.limit_set_by)},
          {"first", std::move(first)},
          {"target", std::move(target)},
          {"no_change", plan.no_change.empty() ? Json(nullptr) : Json(plan.no_change)},
          {"knobs", std::move(knobs)},
          {"notes", plan.notes},
          {"live", plan.live}};
}

}  // namespace

std::string plans_json(const std::vector<remedy::Plan>& plans, const diagnose::Report& report,
                       const facts::Observation& observation) {
  Json listed = Json::array();
  for (std::size_t i = 0; i < plans.size(); ++i) {
    listed.push_back(plan_json(plans[i], observation.after.listeners[i], report.listeners[i]));
  }
  const Json json = {{"schema", "acceptq.fix/1"}, {"plans", std::move(listed)}};
  return printable_json(json.dump(1)) + "\n";
}

}  // namespace acceptq::render
