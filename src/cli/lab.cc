// acceptq lab: known cases with real servers, and whether the diagnosis is right about them.
#include "lab/lab.h"

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/terminal.h"
#include "collect/observe.h"
#include "diagnose/diagnose.h"
#include "remedy/advise.h"
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

// Observes this host, as `check` does, and shows what it says of the listener.
Result<lab::Diagnosis> diagnose(NetnsId netns, std::uint16_t port, double seconds) {
  Result<facts::Observation> observation = collect::observe({.seconds = seconds});
  if (!observation) return fail(observation.error());
  lab::Diagnosis diagnosis{.observation = std::move(*observation)};
  diagnosis.report = diagnose::diagnose(diagnosis.observation);
  remedy::add_remedies(diagnosis.report, diagnosis.observation);
  std::string summary = fmt::format("  $ acceptq check :{}", port);
  for (const diagnose::Finding& finding : diagnosis.report.findings) {
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
      lab::run_scenario(command.scenario, {.stop = &interrupted()}, diagnose, sink);
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

}  // namespace

int run_lab(const LabCommand& command) {
  return command.action == LabCommand::Action::kList ? list() : run(command);
}

}  // namespace acceptq::cli
