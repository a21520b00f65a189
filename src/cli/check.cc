// acceptq check: observe, diagnose, advise, show.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "answer/answer.h"
#include "base/output_file.h"
#include "cli/armed.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/observation.h"
#include "cli/selection.h"
#include "cli/terminal.h"
#include "diagnose/comparison.h"
#include "facts/json.h"
#include "render/document_html.h"
#include "render/document_markdown.h"
#include "render/report_document.h"
#include "render/report_json.h"
#include "render/report_text.h"
#include "select/selection.h"

namespace acceptq::cli {
namespace {

bool fails(const diagnose::Report& report, FailOn fail_on) {
  if (fail_on == FailOn::kNever) return false;
  const auto least = static_cast<diagnose::Severity>(static_cast<int>(fail_on));
  return std::ranges::any_of(
      report.findings, [&](const diagnose::Finding& finding) { return finding.severity >= least; });
}

// What was before, judged as what is now; empty where it is not asked for. A selector that means
// nothing in it leaves nothing to compare.
Result<std::optional<answer::Answer>> baseline_of(const CheckOptions& options,
                                                  const std::vector<select::Selector>& selectors) {
  if (options.baseline.empty()) return std::optional<answer::Answer>();
  Result<facts::Observation> observation = read_observations({options.baseline}, "--baseline");
  if (!observation) return fail(observation.error());
  answer::Answer all = answer::answer(std::move(*observation));
  if (const Status narrowed = answer::narrow(selectors, {}, all); !narrowed) {
    return fail(ErrorCode::kMalformed,
                fmt::format("--baseline {}: {}", options.baseline, narrowed.error().message()));
  }
  return std::optional(std::move(all));
}

int exit_code(const answer::Answer& answer, const CheckOptions& options) {
  if (fails(answer.report, options.fail_on)) return kExitFindings;
  const bool nothing_listens = !options.selectors.empty() && answer.report.listeners.empty();
  const bool blind = nothing_listens || std::ranges::any_of(answer.observation.after.blind_spots,
                                                            &facts::BlindSpot::unobserved);
  return blind ? kExitBlind : kExitNothingWrong;
}

std::string in_format(const CheckOptions& options, const answer::Answer& answer,
                      const diagnose::Comparison* baseline, const render::TermStyle& style) {
  const auto document = [&] {
    return render::report_document(
        answer.report, answer.observation,
        {.all = options.all, .verbose = options.verbose, .baseline = baseline});
  };
  switch (options.format) {
    case ReportFormat::kJson:
      return render::report_json(answer.report, answer.observation, render::JsonLayout::kIndented,
                                 baseline);
    case ReportFormat::kMarkdown:
      return render::markdown(document());
    case ReportFormat::kHtml:
      return render::html(document());
    case ReportFormat::kText:
      break;
  }
  return render::report_text(
      answer.report, answer.observation,
      {.style = style, .all = options.all, .verbose = options.verbose, .baseline = baseline});
}

}  // namespace

int run_check(const CheckOptions& options) {
  // What is watched for hours ends in good order; a file that is being read may be left at once.
  if (options.from.empty()) static_cast<void>(interrupted());
  std::optional<OutputFile> save;
  if (options.save) {
    Result<OutputFile> opened =
        OutputFile::Open(*options.save, [] { return interrupted().load(); });
    if (!opened) {
      print_error(opened.error());
      return kExitUsage;
    }
    save = std::move(*opened);
  }
  std::vector<select::Selector> selectors = options.selectors;
  if (const Status resolved = resolve(selectors); !resolved) {
    print_error(resolved.error());
    return code_of_selection(resolved.error());
  }
  if (options.until_overflow) {
    if (const Status tcp = expect_tcp(selectors, "--until-overflow"); !tcp) {
      print_error(tcp.error());
      return kExitUsage;
    }
  }
  Result<facts::Observation> observation = !options.from.empty() ? read_observations(options.from)
                                           : !options.agent.empty() ? ask_agent(options.agent)
                                           : options.until_overflow
                                               ? await_on_host(options, selectors)
                                               : observe_host({.seconds = options.seconds,
                                                               .scan = options.scan,
                                                               .tracing = options.tracing,
                                                               .packets = options.packets},
                                                              selectors);
  if (!observation) {
    print_error(observation.error());
    return options.from.empty() ? kExitBlind : kExitUsage;
  }
  // What was watched for hours is shown even where it cannot be kept.
  bool lost = false;
  if (save) {
    const std::string recording = facts::to_json(*observation);
    const Status saved = save->write(recording);
    if (!saved) print_error(saved.error());
    lost = !saved;
    if (recording.size() > facts::kLargestRecording) {
      print_error({ErrorCode::kTruncated, 0,
                   fmt::format("the recording has {} MiB, more than the {} that --from takes",
                               recording.size() >> 20U, facts::kLargestRecording >> 20U)});
    }
  }
  select::keep_the_ended(selectors, *observation);
  const Result<std::optional<answer::Answer>> before = baseline_of(options, selectors);
  if (!before) {
    print_error(before.error());
    return kExitUsage;
  }
  const select::IsProcess ask_host = options.from.empty() ? is_process : select::IsProcess{};
  const Result<answer::Answer> answer =
      answer::answer(std::move(*observation), selectors, ask_host);
  if (!answer) {
    print_error(answer.error());
    return lost ? kExitUsage : code_of_selection(answer.error());
  }
  for (const std::string& warning : answer->warnings) {
    print_error({ErrorCode::kNotFound, 0, warning});
  }
  std::optional<diagnose::Comparison> comparison;
  if (*before) {
    comparison = diagnose::compare({(*before)->observation, (*before)->report},
                                   {answer->observation, answer->report});
  }
  const int code = lost ? kExitUsage : exit_code(*answer, options);
  // One of the two only can have standard output, and a recording must be alone there.
  const bool aside = save && save->is_stdout();
  const render::TermStyle style = style_of(aside ? STDERR_FILENO : STDOUT_FILENO, options.color);
  const std::string text = in_format(options, *answer, comparison ? &*comparison : nullptr, style);
  if (!aside) return finish(text, code);
  print_err(text);
  return code;
}

int run_print(const PrintAndExit& print) {
  print_err(print.err);
  return finish(print.out, print.code);
}

}  // namespace acceptq::cli
