// A change that lasts, and what came of it, as text and as JSON (schema acceptq.fix_apply/1). Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apply/change.h"
#include "facts/change.h"
#include "facts/snapshot.h"
#include "remedy/live_policy.h"
#include "render/term.h"

namespace acceptq::cli {

struct ChangeItem {
  facts::Change change;
  std::string id;  // of one that is taken back
  std::string why;
  std::vector<remedy::LiveObjection> objections;
  std::vector<std::string> mind;  // what this change alone does not give, whole sentences
  std::optional<apply::ChangeOutcome> outcome;

  [[nodiscard]] bool done() const {
    return outcome && outcome->end == apply::ChangeEnd::kDone && outcome->journal_errors.empty();
  }
};

// What will be done, before it is asked for.
[[nodiscard]] std::string apply_intent(const render::TermStyle& style, const ChangeItem& item,
                                       const facts::Snapshot& snapshot);
[[nodiscard]] std::string undo_intent(const render::TermStyle& style, const ChangeItem& item);
// What came of it.
[[nodiscard]] std::string apply_outcome(const render::TermStyle& style, const ChangeItem& item);
[[nodiscard]] std::string undo_outcome(const render::TermStyle& style, const ChangeItem& item);

[[nodiscard]] nlohmann::ordered_json change_json(const ChangeItem& item);
// `refused`: why nothing was done.
[[nodiscard]] std::string apply_json(const ChangeItem& item,
                                     const std::optional<std::string>& refused);

}  // namespace acceptq::cli
