#include <csignal>
#include <variant>

#include "cli/commands.h"
#include "cli/terminal.h"

namespace {

struct Run {
  int operator()(const acceptq::cli::CheckOptions& o) const { return run_check(o); }
  int operator()(const acceptq::cli::TraceCommand& o) const { return run_trace(o); }
  int operator()(const acceptq::cli::TopCommand& o) const { return run_top(o); }
  int operator()(const acceptq::cli::FixCommand& o) const { return run_fix(o); }
  int operator()(const acceptq::cli::CollectCommand& o) const { return run_collect(o); }
  int operator()(const acceptq::cli::AgentCommand& o) const { return run_agent(o); }
  int operator()(const acceptq::cli::ExplainOptions& o) const { return run_explain(o); }
  int operator()(const acceptq::cli::ProbeCommand& o) const { return run_probe(o); }
  int operator()(const acceptq::cli::LabCommand& o) const { return run_lab(o); }
  int operator()(const acceptq::cli::PrintAndExit& o) const { return run_print(o); }
};

}  // namespace

int main(int argc, char** argv) {
  // `acceptq check | head` ends quietly: writes fail with EPIPE instead of killing the process.
  std::signal(SIGPIPE, SIG_IGN);
  acceptq::cli::occupy_standard_descriptors();
  return acceptq::cli::exit_code(std::visit(Run{}, acceptq::cli::parse_command_line(argc, argv)));
}
