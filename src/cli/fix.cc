// acceptq fix: what to change for a listener, all of it.
#include <optional>

#include "answer/answer.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/observation.h"
#include "cli/selection.h"
#include "cli/terminal.h"
#include "remedy/plan.h"
#include "render/plan_text.h"
#include "select/selection.h"

namespace acceptq::cli {
int run_fix(const FixCommand& command) {
  const bool is_here = command.from.empty();
  if (is_here) static_cast<void>(interrupted());
  std::vector<select::Selector> selectors = command.selectors;
  if (const Status resolved = resolve(selectors); !resolved) {
    print_error(resolved.error());
    return code_of_selection(resolved.error());
  }
  Result<facts::Observation> observation =
      is_here ? observe_host({.seconds = command.seconds, .tracing = command.tracing}, selectors)
              : read_observations(command.from);
  if (!observation) {
    print_error(observation.error());
    return is_here ? kExitBlind : kExitUsage;
  }
  const Result<answer::Answer> answer = answer::answer(std::move(*observation), selectors,
                                                       is_here ? is_process : select::IsProcess{});
  if (!answer) {
    print_error(answer.error());
    return code_of_selection(answer.error());
  }
  for (const std::string& warning : answer->warnings) {
    print_error({ErrorCode::kNotFound, 0, warning});
  }
  std::vector<remedy::Plan> plans;
  plans.reserve(answer->report.listeners.size());
  for (std::size_t i = 0; i < answer->report.listeners.size(); ++i) {
    plans.push_back(remedy::plan_for(answer->observation, answer->report, i, command.limit));
  }
  const std::string text = command.json
                               ? render::plans_json(plans, answer->report, answer->observation)
                               : render::plans_text(style_of_stdout(command.color), plans,
                                                    answer->report, answer->observation);
  return finish(text, plans.empty() ? kExitBlind : kExitNothingWrong);
}

}  // namespace acceptq::cli
