// acceptq fix: how an edit of a server's files is shown in a plan.
#pragma once

#include <string>
#include <vector>

#include "config/edit.h"
#include "facts/process.h"
#include "remedy/plan.h"

namespace acceptq::cli {

// What is to be done, as a sentence or two.
[[nodiscard]] std::string summary_of(const config::Edit& edit, const facts::Process& process);
// As diagnose::Remedy::takes_effect says it.
[[nodiscard]] std::string takes_effect(const config::Edit& edit, const facts::Process& process);
// The diffs, for `patch`; the check of what they make, and the command behind them.
[[nodiscard]] std::vector<remedy::Piece> pieces_of(const config::Edit& edit,
                                                   const facts::Process& process);

// All of it, in place of what the way of a backlog said in general.
void show_edit(const config::Edit& edit, const facts::Process& process, remedy::Way& way);

}  // namespace acceptq::cli
