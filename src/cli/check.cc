// acceptq check: observe, diagnose, advise, show.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "answer/answer.h"
#include "base/file.h"
#include "base/output_file.h"
#include "cli/armed.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/selection.h"
#include "cli/terminal.h"
#include "cli/tracing.h"
#include "collect/observe.h"
#include "facts/joined.h"
#include "facts/json.h"
#include "render/report_json.h"
#include "render/report_text.h"
#include "select/selection.h"

namespace acceptq::cli {
namespace {

Result<facts::Observation> observe_host(const CheckOptions& options,
                                        const std::vector<select::Selector>& selectors) {
  Progress progress;
  bool cut_short = false;
  collect::ObserveOptions observe;
  observe.seconds = options.seconds;
  observe.scan.method = options.scan;
  observe.trace = trace_options(options.tracing);
  if (options.packets) {
    observe.trace.level = collect::bpf::TraceLevel::kNone;
    observe.tapped = select::selected_by(selectors);
  }
  observe.progress = [&](double elapsed) {
    progress.show(fmt::format("watching this host, {:.0f} of {:.0f} s", elapsed, options.seconds));
    cut_short = interrupted().load();
    return !cut_short;
  };
  Result<facts::Observation> observation = collect::observe(observe);
  progress.clear();
  if (observation && cut_short) {
    observation->after.blind_spots.push_back(
        {.id = "AQ607",
         .scope = "host",
         .reason = fmt::format("interrupted after {:.1f} of {:.1f} s", observation->seconds,
                               options.seconds),
         .cost = "what would have happened in the rest of the time is not in the report"});
  }
  return observation;
}

Result<facts::Observation> read_observation(const std::string& path) {
  if (path.empty()) return fail(ErrorCode::kMalformed, "--from needs a file, or - for stdin");
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return fail(ErrorCode::kMalformed, "cannot read " + path + ": it is a directory");
  }
  const Result<std::string> text =
      path == "-" ? read_descriptor(STDIN_FILENO, "standard input", facts::kLargestRecording)
                  : read_file(path, facts::kLargestRecording);
  if (!text && text.error().code == ErrorCode::kTruncated) {
    return fail(ErrorCode::kTruncated,
                fmt::format("cannot read {}: it is larger than {} MiB, the most that acceptq takes",
                            path, facts::kLargestRecording >> 20U));
  }
  if (!text) {
    // errno's text comes last in a message; what to do, before it.
    return fail({text.error().code, text.error().sys_errno,
                 "--from needs a file that `acceptq check --save` wrote; " + text.error().context});
  }
  const std::string name = path == "-" ? "standard input" : path;
  if (text->starts_with("\x1f\x8b")) {
    return fail(ErrorCode::kMalformed,
                fmt::format("cannot read {}: it is compressed by gzip (gzip -dc FILE | acceptq "
                            "check --from -)",
                            name));
  }
  Result<facts::Observation> observation = facts::observation_from_json(*text);
  if (!observation) {
    return fail(observation.error().code,
                fmt::format("cannot read {}: {} (it should be a file that `acceptq check --save` "
                            "wrote)",
                            name, observation.error().message()));
  }
  return observation;
}

Result<facts::Observation> read_observations(const std::vector<std::string>& paths) {
  std::vector<facts::Recording> recordings;
  for (const std::string& path : paths) {
    Result<facts::Observation> recording = read_observation(path);
    if (!recording) return recording;
    recordings.push_back({.name = path, .observation = std::move(*recording)});
  }
  return facts::joined(recordings);
}

bool fails(const diagnose::Report& report, FailOn fail_on) {
  if (fail_on == FailOn::kNever) return false;
  const auto least = static_cast<diagnose::Severity>(static_cast<int>(fail_on));
  return std::ranges::any_of(
      report.findings, [&](const diagnose::Finding& finding) { return finding.severity >= least; });
}

int exit_code(const answer::Answer& answer, FailOn fail_on) {
  if (fails(answer.report, fail_on)) return kExitFindings;
  const bool blind =
      std::ranges::any_of(answer.observation.after.blind_spots, &facts::BlindSpot::unobserved);
  return blind ? kExitBlind : kExitNothingWrong;
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
  Result<facts::Observation> observation = !options.from.empty() ? read_observations(options.from)
                                           : options.until_overflow
                                               ? await_on_host(options, selectors)
                                               : observe_host(options, selectors);
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
  const int code = lost ? kExitUsage : exit_code(*answer, options.fail_on);
  // One of the two only can have standard output, and a recording must be alone there.
  const bool aside = save && save->is_stdout();
  const render::TermStyle style = style_of(aside ? STDERR_FILENO : STDOUT_FILENO, options.color);
  const std::string text =
      options.json
          ? render::report_json(answer->report, answer->observation)
          : render::report_text(answer->report, answer->observation,
                                {.style = style, .all = options.all, .verbose = options.verbose});
  if (!aside) return finish(text, code);
  print_err(text);
  return code;
}

int run_print(const PrintAndExit& print) {
  print_err(print.err);
  return finish(print.out, print.code);
}

}  // namespace acceptq::cli
