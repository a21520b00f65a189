// acceptq fix --apply: forms of the plan, executed by acceptq itself.
#pragma once

#include <string>
#include <vector>

#include "answer/answer.h"
#include "cli/commands.h"
#include "remedy/plan.h"

namespace acceptq::cli {

struct ApplyOptions {
  std::vector<std::string> forms;
  bool json = false;
  bool yes = false;      // do not ask
  bool even_so = false;  // whatever speaks against it
  ColorWhen color = ColorWhen::kAuto;
};

// Plans are those of the answer's listeners, in their order. 0: done. 2: refused, or not agreed to;
// nothing was changed. 3: it could not be done.
[[nodiscard]] int run_fix_apply(const ApplyOptions& options, const answer::Answer& answer,
                                const std::vector<remedy::Plan>& plans);

}  // namespace acceptq::cli
