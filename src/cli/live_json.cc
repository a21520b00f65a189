#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "cli/live_report.h"
#include "cli/outcome_json.h"

namespace acceptq::cli {
namespace {

using Json = nlohmann::ordered_json;

Json limit_json(const std::optional<QueueLimit>& limit) {
  return limit ? Json(limit->value()) : Json(nullptr);
}

const char* end_name(apply::SomaxconnEnd end) {
  switch (end) {
    case apply::SomaxconnEnd::kNotNeeded:
      return "not_needed";
    case apply::SomaxconnEnd::kPutBack:
      return "put_back";
    case apply::SomaxconnEnd::kKept:
      return "kept";
    case apply::SomaxconnEnd::kChangedByOther:
      return "changed_by_other";
    case apply::SomaxconnEnd::kNotPutBack:
      return "not_put_back";
  }
  return "";
}

Json somaxconn_json(const std::optional<apply::SomaxconnOutcome>& somaxconn) {
  if (!somaxconn) return nullptr;
  return {{"before", somaxconn->before},
          {"raised_to", somaxconn->raised_to ? Json(*somaxconn->raised_to) : Json(nullptr)},
          {"after", somaxconn->after},
          {"end", end_name(somaxconn->end)},
          {"error", error_json(somaxconn->error)}};
}

Json member_json(const LiveItem& item, std::size_t index) {
  const apply::ResizePlan::Member& member = item.plan.members[index];
  const apply::MemberOutcome* outcome = item.outcome && index < item.outcome->resize.members.size()
                                            ? &item.outcome->resize.members[index]
                                            : nullptr;
  const bool done = outcome != nullptr && outcome->done() && !item.outcome->resize.error;
  Json by = nullptr;
  if (outcome != nullptr && outcome->by) {
    by = {{"pid", outcome->by->pid.value()}, {"fd", outcome->by->fd}};
  }
  return {{"listener", escape_bytes(facts::listener_key(member.listener))},
          {"wanted", member.to.value()},
          {"before", limit_json(outcome != nullptr && outcome->before ? outcome->before
                                                                      : member.listener.limit)},
          {"after", limit_json(outcome != nullptr ? outcome->after : std::nullopt)},
          {"by", std::move(by)},
          {"done", done},
          {"error", outcome != nullptr ? error_json(outcome->error) : Json(nullptr)}};
}

Json item_json(const LiveItem& item) {
  Json listeners = Json::array();
  for (std::size_t i = 0; i < item.plan.members.size(); ++i) {
    listeners.push_back(member_json(item, i));
  }
  const auto somaxconn = item.restored  ? item.restored
                         : item.outcome ? item.outcome->resize.somaxconn
                                        : std::nullopt;
  return {
      {"netns", item.plan.members.front().listener.netns.value()},
      {"why", escape_bytes(item.why)},
      {"listeners", std::move(listeners)},
      {"somaxconn", somaxconn_json(somaxconn)},
      {"objections", objections_json(item.objections)},
      {"error", item.outcome ? error_json(item.outcome->resize.error) : Json(nullptr)},
      {"journal_errors", item.outcome ? errors_json(item.outcome->journal_errors) : Json::array()}};
}

}  // namespace

std::string live_json(const LiveReport& report) {
  Json changes = Json::array();
  for (const LiveItem& item : report.items) changes.push_back(item_json(item));
  Json applied = Json::array();
  for (const ChangeItem& item : report.applied) applied.push_back(change_json(item));
  const Json json = {
      {"schema", "acceptq.fix_live/1"},
      {"action", report.action == LiveAction::kUndo ? "undo" : "resize"},
      {"done", report.done()},
      {"refused", report.refused ? Json(escape_bytes(*report.refused)) : Json(nullptr)},
      {"changes", std::move(changes)},
      {"applied", std::move(applied)}};
  return printable_json(json.dump(1)) + "\n";
}

}  // namespace acceptq::cli
