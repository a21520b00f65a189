// What the command line can ask for, and the functions that do it. app.cc fills these in; no
// command reads argv.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "collect/bpf/trace_options.h"
#include "collect/scan.h"
#include "select/selector.h"

namespace acceptq::cli {

// Exit codes, as the man page lists them.
inline constexpr int kExitNothingWrong = 0;
inline constexpr int kExitFindings = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitBlind = 3;

enum class FailOn { kNotice, kWarning, kCritical, kNever };
enum class ReportFormat { kText, kJson, kMarkdown, kHtml };
enum class ColorWhen { kAuto, kAlways, kNever };

struct CheckOptions {
  std::vector<select::Selector> selectors;
  double seconds = 2.0;
  bool until_overflow = false;  // then `seconds` is how long to wait for one
  bool packets = false;         // look at packets rather than trace
  std::string exec;             // a command to run when it comes; empty: none
  ReportFormat format = ReportFormat::kText;
  bool all = false;
  bool verbose = false;
  std::optional<std::string> save;  // a file; "-": standard output
  std::vector<std::string> from;
  std::string agent;     // the socket of an agent that has watched already; empty: none
  std::string baseline;  // a recording of before a change; empty: none
  FailOn fail_on = FailOn::kWarning;
  ColorWhen color = ColorWhen::kAuto;
  collect::ScanMethod scan = collect::ScanMethod::kAuto;
  collect::bpf::TraceLevel tracing = collect::bpf::TraceLevel::kBest;
};

struct TraceCommand {
  std::vector<select::Selector> selectors;
  double seconds = 0;  // 0: until Ctrl-C
  std::uint64_t count = 0;
  bool summary = false;
  bool json = false;
  collect::bpf::TraceLevel level = collect::bpf::TraceLevel::kBest;
  ColorWhen color = ColorWhen::kAuto;
};

struct TopCommand {
  std::vector<select::Selector> selectors;
  double every = 1;         // seconds
  std::uint64_t count = 0;  // frames; 0: until the user ends it
  bool batch = false;       // plain frames one after the other, even on a terminal
  bool json = false;
  collect::bpf::TraceLevel tracing = collect::bpf::TraceLevel::kBest;
  ColorWhen color = ColorWhen::kAuto;
};

struct FixCommand {
  std::vector<select::Selector> selectors;
  double seconds = 2.0;
  std::optional<std::uint32_t> limit;  // in place of what the evidence asks for
  std::vector<std::string> from;
  bool live = false;               // give the running server's queue the limit
  std::vector<std::string> apply;  // forms of the plan to execute
  bool undo = false;               // take back what these two did
  bool yes = false;                // of these three: do not ask
  bool even_so = false;            // whatever speaks against it, but for what is not safe
  bool keep_sysctl = false;        // --live: leave somaxconn raised
  bool json = false;
  collect::bpf::TraceLevel tracing = collect::bpf::TraceLevel::kBest;
  ColorWhen color = ColorWhen::kAuto;
};

struct CollectCommand {
  double seconds = 10;
  std::string output;   // a file; "-": standard output; empty: one named by the time
  bool redact = false;  // replace addresses and names
  double capture = 0;   // then take headers of packets of listeners in trouble for so many seconds
  collect::bpf::TraceLevel tracing = collect::bpf::TraceLevel::kBest;
};

struct AgentCommand {
  std::optional<std::string> config;           // a file; empty: the usual one, where it is there
  bool check_config = false;                   // and end
  std::map<std::string, std::string> instead;  // values of keys, in place of the file's
};

struct ExplainOptions {
  std::string word;
  bool json = false;
  ColorWhen color = ColorWhen::kAuto;
};

struct ProbeCommand {
  std::string target;  // HOST:PORT
  double rate = 10;
  std::uint64_t count = 0;
  std::uint32_t concurrency = 1000;
  double timeout_s = 5;
  double seconds = 0;
  std::string send;
  bool expect_reply = false;
  std::optional<std::string> netns;
  bool json = false;
};

struct LabCommand {
  enum class Action { kList, kRun, kScore };
  Action action = Action::kList;
  std::string scenario;             // of kRun
  std::vector<std::string> scored;  // folders and scenarios; empty: all that expect a cause
  std::string recordings;           // a folder; empty: none are kept
  bool ablate = false;
  bool may_be_unknown = false;  // such an answer is no reason to fail
  bool json = false;
};

// Something to print and an exit code: help, version, completion, a usage error.
struct PrintAndExit {
  std::string out;
  std::string err;
  int code = 0;
};

using Command = std::variant<CheckOptions, TraceCommand, TopCommand, FixCommand, CollectCommand,
                             AgentCommand, ExplainOptions, ProbeCommand, LabCommand, PrintAndExit>;

// Never exits and never prints: a usage error is a PrintAndExit with kExitUsage.
[[nodiscard]] Command parse_command_line(int argc, const char* const* argv);

// Each prints its result to stdout and errors to stderr, and returns the exit code.
[[nodiscard]] int run_check(const CheckOptions& options);
[[nodiscard]] int run_trace(const TraceCommand& command);
int run_top(const TopCommand& command);
[[nodiscard]] int run_fix(const FixCommand& command);
[[nodiscard]] int run_collect(const CollectCommand& command);
[[nodiscard]] int run_agent(const AgentCommand& command);
[[nodiscard]] int run_explain(const ExplainOptions& options);
[[nodiscard]] int run_probe(const ProbeCommand& options);
[[nodiscard]] int run_lab(const LabCommand& options);
[[nodiscard]] int run_print(const PrintAndExit& print);

}  // namespace acceptq::cli
