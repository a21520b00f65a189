// acceptq fix: what to change for a listener, all of it.
#include <optional>

#include "answer/answer.h"
#include "cli/commands.h"
#include "cli/fix_apply.h"
#include "cli/fix_config.h"
#include "cli/fix_live.h"
#include "cli/fix_pasted_config.h"
#include "cli/fix_undo.h"
#include "cli/interrupt.h"
#include "cli/observation.h"
#include "cli/selection.h"
#include "cli/terminal.h"
#include "remedy/plan.h"
#include "render/plan_text.h"
#include "select/selection.h"

namespace acceptq::cli {
namespace {

LiveOptions live_options(const FixCommand& command) {
  return {.json = command.json,
          .yes = command.yes,
          .even_so = command.even_so,
          .keep_sysctl = command.keep_sysctl,
          .color = command.color};
}

Result<imports::Imported> observe_here(const FixCommand& command,
                                       const std::vector<select::Selector>& selectors) {
  Result<facts::Observation> observation =
      observe_host({.seconds = command.seconds, .tracing = command.tracing}, selectors);
  if (!observation) return fail(std::move(observation.error()));
  return imports::Imported{std::move(*observation), {}};
}

int fix_live(const FixCommand& command, const answer::Answer& answer,
             const std::vector<remedy::Plan>& plans) {
  const render::TermStyle style = style_of_stdout(command.color);
  std::vector<LiveWish> wishes;
  wishes.reserve(plans.size());
  for (const remedy::Plan& plan : plans) {
    LiveWish wish{.key = plan.listener};
    if (plan.target) wish.limit = plan.target->limit;
    wish.why = plan.target ? plan.target->why : plan.no_change;
    for (const remedy::Knob& knob : plan.knobs) {
      if (!knob.ways.empty()) {
        wish.permanent += render::wrap(style, 2, knob.ways.front().remedy.summary);
      }
    }
    wishes.push_back(std::move(wish));
  }
  return run_fix_live(live_options(command), answer, wishes);
}

}  // namespace

int run_fix(const FixCommand& command) {
  const bool is_here = command.from.empty();
  if (is_here) static_cast<void>(interrupted());
  std::vector<select::Selector> selectors = command.selectors;
  if (const Status resolved = resolve(selectors); !resolved) {
    print_error(resolved.error());
    return code_of_selection(resolved.error());
  }
  if (command.undo) {
    return run_fix_undo({.json = command.json, .yes = command.yes, .color = command.color},
                        selectors);
  }
  Result<imports::Imported> evidence =
      is_here ? observe_here(command, selectors) : read_with_configs(command.from);
  if (!evidence) {
    print_error(evidence.error());
    return is_here ? kExitBlind : kExitUsage;
  }
  const Result<answer::Answer> answer = answer::answer(std::move(evidence->observation), selectors,
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
  ServerConfigs configs;
  PastedConfigs pasted(std::move(evidence->configs));
  for (std::size_t i = 0; i < answer->report.listeners.size(); ++i) {
    plans.push_back(remedy::plan_for(answer->observation, answer->report, i, command.limit));
    const facts::Snapshot& now = answer->observation.after;
    if (is_here) {
      configs.add_to(plans.back(), now, now.listeners[i]);
    } else {
      pasted.add_to(plans.back(), now, now.listeners[i]);
    }
  }
  if (command.live) return fix_live(command, *answer, plans);
  if (!command.apply.empty()) {
    return run_fix_apply({.forms = command.apply,
                          .json = command.json,
                          .yes = command.yes,
                          .even_so = command.even_so,
                          .color = command.color},
                         *answer, plans);
  }
  const std::string text = command.json
                               ? render::plans_json(plans, answer->report, answer->observation)
                               : render::plans_text(style_of_stdout(command.color), plans,
                                                    answer->report, answer->observation);
  return finish(text, plans.empty() ? kExitBlind : kExitNothingWrong);
}

}  // namespace acceptq::cli
