// acceptq fix --undo: what --live and --apply did to the selected listeners, taken back.
#pragma once

#include <vector>

#include "cli/commands.h"
#include "select/selector.h"

namespace acceptq::cli {

struct UndoOptions {
  bool json = false;
  bool yes = false;  // do not ask
  ColorWhen color = ColorWhen::kAuto;
};

// Exit codes as of run_fix_live().
[[nodiscard]] int run_fix_undo(const UndoOptions& options,
                               const std::vector<select::Selector>& selectors);

}  // namespace acceptq::cli
