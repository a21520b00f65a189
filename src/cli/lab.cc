// acceptq lab: known cases with real servers, and whether the diagnosis is right about them.
#include "lab/lab.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "answer/answer.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/terminal.h"
#include "collect/observe.h"
#include "lab/score_run.h"
#include "render/report_text.h"

namespace acceptq::cli {
namespace {

void print_page(std::string_view text) {
  print_out(render::for_terminal(style_of_stdout(ColorWhen::kAuto), text));
}

int list() {
  for (const std::string& folder : lab::scenario_folders()) {
    const auto entries = lab::list_scenarios(folder);
    if (!entries) {
      print_error(entries.error());
      return kExitUsage;
    }
    for (const lab::ScenarioEntry& entry : *entries) {
      print_page(fmt::format("{:<20} {}\n", entry.name, entry.title));
    }
  }
  return kExitNothingWrong;
}

// Observes this host, as `check` does.
Result<lab::Diagnosis> diagnose_host(NetnsId, std::uint16_t, double seconds) {
  Result<facts::Observation> observation = collect::observe({.seconds = seconds});
  if (!observation) return fail(observation.error());
  answer::Answer answer = answer::answer(std::move(*observation));
  return lab::Diagnosis{.observation = std::move(answer.observation),
                        .report = std::move(answer.report)};
}

// The same, and shows what it says of the listener.
Result<lab::Diagnosis> diagnose_aloud(NetnsId netns, std::uint16_t port, double seconds) {
  Result<lab::Diagnosis> diagnosis = diagnose_host(netns, port, seconds);
  if (!diagnosis) return diagnosis;
  std::string summary = fmt::format("  $ acceptq check :{}", port);
  for (const diagnose::Finding& finding : diagnosis->report.findings) {
    if (finding.netns != netns || !finding.listener) continue;
    summary += fmt::format("\n    {} {}", finding.id, finding.title);
  }
  print_page(summary + "\n");
  return diagnosis;
}

int run(const LabCommand& command) {
  const render::TermStyle style = style_of_stdout(ColorWhen::kAuto);
  const lab::Sink sink = [&](const std::string& text) {
    const bool verbatim = text.starts_with("  $") || text.starts_with("    ");
    print_page(verbatim ? text + "\n" : render::wrap(style, text.starts_with("  ") ? 2 : 0, text));
  };
  const auto outcome =
      lab::run_scenario(command.scenario, {.stop = &interrupted()}, diagnose_aloud, sink);
  if (!outcome) {
    print_error(outcome.error());
    return kExitUsage;
  }
  if (outcome->stopped) {
    print_page("\ninterrupted; everything is cleaned up\n");
    return kExitFindings;
  }
  print_page(fmt::format("\n{} took {:.0f} s; {} diagnoses, {}\n", outcome->scenario,
                         outcome->seconds, outcome->diagnoses.size(),
                         outcome->as_expected() ? "all as expected" : "NOT ALL AS EXPECTED"));
  return outcome->as_expected() ? kExitNothingWrong : kExitFindings;
}

int score(const LabCommand& command) {
  const auto paths = lab::scenarios_to_score(command.scored);
  if (!paths) {
    print_error(paths.error());
    return kExitUsage;
  }
  if (::geteuid() != 0) {
    print_error({ErrorCode::kPermission, 0, "the lab needs root, to make namespaces and mounts"});
    return kExitUsage;
  }
  if (!command.recordings.empty()) {
    std::error_code error;
    std::filesystem::create_directories(command.recordings, error);
    if (error) {
      print_error({ErrorCode::kIo, error.value(), "cannot make " + command.recordings});
      return kExitUsage;
    }
  }
  const lab::LabOptions options{
      .recordings_folder = command.recordings, .ablate = command.ablate, .stop = &interrupted()};
  Progress progress;
  std::vector<lab::ScenarioScore> scores;
  for (const std::string& path : *paths) {
    if (interrupted()) break;
    progress.show(fmt::format("{} of {}: {}", scores.size() + 1, paths->size(), path));
    scores.push_back(lab::score_scenario(path, options, diagnose_host));
    progress.clear();
    if (!command.json) print_page(lab::score_lines(scores.back()));
  }
  if (command.json) {
    print_out(lab::score_json(scores));
  } else {
    print_page("\n" + lab::confusion_text(scores));
    if (const std::string table = lab::calibration_text(scores); !table.empty()) {
      print_page("\n" + table);
    }
    if (command.ablate) print_page("\n" + lab::ablation_text(scores));
  }
  const lab::Totals totals = lab::totals_of(scores);
  const bool good = command.may_be_unknown ? totals.none_wrong() : totals.all_right();
  return good && !interrupted() ? kExitNothingWrong : kExitFindings;
}

}  // namespace

int run_lab(const LabCommand& command) {
  switch (command.action) {
    case LabCommand::Action::kList:
      return list();
    case LabCommand::Action::kRun:
      return run(command);
    case LabCommand::Action::kScore:
      return score(command);
  }
  return kExitUsage;
}

}  // namespace acceptq::cli
