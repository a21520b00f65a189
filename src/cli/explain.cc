// acceptq explain: a word that acceptq knows, or a listener of this host.
#include "diagnose/explain.h"

#include <fmt/format.h>

#include "answer/answer.h"
#include "cli/commands.h"
#include "cli/selection.h"
#include "cli/terminal.h"
#include "collect/observe.h"
#include "render/explain_text.h"
#include "render/listener_rule.h"
#include "render/report_json.h"

namespace acceptq::cli {
namespace {

int explain_listener(const ExplainOptions& options, select::Selector selector) {
  std::vector<select::Selector> selectors = {std::move(selector)};
  if (const Status resolved = resolve(selectors); !resolved) {
    print_error(resolved.error());
    return code_of_selection(resolved.error());
  }
  Result<facts::Observation> observation = collect::look({}, select::ports_of(selectors));
  if (!observation) {
    print_error(observation.error());
    return kExitBlind;
  }
  const Result<answer::Answer> answer =
      answer::answer(std::move(*observation), selectors, is_process);
  if (!answer) {
    print_error(answer.error());
    return code_of_selection(answer.error());
  }
  for (const std::string& warning : answer->warnings) {
    print_error({ErrorCode::kNotFound, 0, warning});
  }
  if (answer->report.listeners.empty()) return kExitBlind;
  return finish(options.json ? render::report_json(answer->report, answer->observation)
                             : render::listener_rules(style_of_stdout(options.color),
                                                      answer->report, answer->observation),
                kExitNothingWrong);
}

}  // namespace

int run_explain(const ExplainOptions& options) {
  if (const auto explanation = diagnose::explain_word(options.word)) {
    return finish(options.json ? render::explain_json(*explanation)
                               : render::explain_text(style_of_stdout(options.color), *explanation),
                  kExitNothingWrong);
  }
  Result<select::Selector> selector = select::parse_selector(options.word);
  if (selector) return explain_listener(options, std::move(*selector));
  std::string message = fmt::format(
      "\"{}\" is no finding (AQ101), counter (ListenDrops) or sysctl (somaxconn) that acceptq "
      "knows, "
      "and no selector of a listener (:80)",
      options.word);
  const std::vector<std::string> similar = diagnose::similar_words(options.word);
  if (!similar.empty()) message += fmt::format("; did you mean {}?", fmt::join(similar, ", "));
  print_error({ErrorCode::kMalformed, 0, message});
  return kExitUsage;
}

}  // namespace acceptq::cli
