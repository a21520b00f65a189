// What a live resize is about to do and what it did, as text and as JSON (schema
// acceptq.fix_live/1). Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apply/live_change.h"
#include "cli/change_report.h"
#include "facts/snapshot.h"
#include "remedy/live_policy.h"
#include "render/term.h"

namespace acceptq::cli {

// One listener, or all members of its SO_REUSEPORT group.
struct LiveItem {
  apply::ResizePlan plan;
  std::string why;
  std::vector<remedy::LiveObjection> objections;
  std::string permanent;  // how to make it last, as lines; empty: not known
  std::optional<apply::LiveOutcome> outcome;
  std::optional<apply::SomaxconnOutcome> restored;  // of an undo: what had been left raised
};

enum class LiveAction { kResize, kUndo };

struct LiveReport {
  LiveAction action = LiveAction::kResize;
  bool keep_sysctl = false;
  std::vector<LiveItem> items;
  std::vector<ChangeItem> applied;  // of an undo: changes that last, which are taken back as well
  std::optional<std::string> refused;  // why nothing was done

  [[nodiscard]] bool done() const;
};

// What will be done, before it is asked for.
[[nodiscard]] std::string intent_text(const render::TermStyle& style, const LiveReport& report,
                                      const facts::Snapshot& snapshot);
// What came of it.
[[nodiscard]] std::string outcome_text(const render::TermStyle& style, const LiveReport& report);
[[nodiscard]] std::string live_json(const LiveReport& report);

}  // namespace acceptq::cli
