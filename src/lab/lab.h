// Runs a scenario on this machine's kernel: real namespaces, servers, faults and load, all of it
// inside one sandbox that the kernel takes down as a whole, whatever happens to us.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "diagnose/report.h"
#include "facts/snapshot.h"
#include "lab/scenario.h"

namespace acceptq::lab {

// What diagnosing a listener gave, with the facts that it was made from.
struct Diagnosis {
  facts::Observation observation;
  diagnose::Report report;
};

// Observes for `seconds` and diagnoses what listens on `port` in the namespace. Called in the
// thread and the process of run_scenario().
using Diagnoser = std::function<Result<Diagnosis>(NetnsId, std::uint16_t port, double seconds)>;

// One or several lines for people, without a newline at the end.
using Sink = std::function<void(const std::string&)>;

struct LabOptions {
  std::string slowfs_path;                  // empty: beside this executable, or one level above
  std::string recordings_folder;            // for what is observed; empty: it is not kept
  bool ablate = false;                      // diagnose again without each kind of evidence
  const std::atomic<bool>* stop = nullptr;  // set, by a signal handler say, to end the run
};

// One `show` step: the numbers of `ss` and `nstat`, run in the namespace.
struct ShowResult {
  int line = 0;  // of the step in its file
  std::string netns;
  std::uint16_t port = 0;
  std::uint32_t length = 0;
  std::uint32_t limit = 0;
  double accepts_per_s = 0;                        // while the step watched
  std::map<std::string, std::uint64_t> increases;  // while it watched
};

// What the same observation gives without one kind of evidence.
struct Ablated {
  std::string without;  // the name of a Signal
  std::optional<diagnose::CauseKind> cause;
  double confidence = 0;  // of the finding with it
};

struct DiagnoseResult {
  int line = 0;  // of the step in its file
  NetnsId netns;
  std::uint16_t port = 0;
  Expect expect;
  std::vector<std::string> mismatches;  // what was expected and is not so; empty: all right
  std::optional<diagnose::CauseKind> cause;
  double confidence = 0;         // of the finding with it
  std::string recording;         // the file with what was observed; empty: not kept
  std::vector<Ablated> ablated;  // where that was asked for
};

// What the clients of a load lived through, from its start or the change of its rate to the next.
struct LoadResult {
  std::string load;
  double rate_per_s = 0;
  std::string summary;  // probe::to_line
  std::string json;     // probe::to_json
};

struct LabOutcome {
  std::string scenario;
  double seconds = 0;
  bool stopped = false;  // by LabOptions::stop, before the last step
  std::vector<ShowResult> shows;
  std::vector<DiagnoseResult> diagnoses;
  std::vector<LoadResult> loads;  // as they ended

  [[nodiscard]] bool as_expected() const {
    for (const DiagnoseResult& diagnosis : diagnoses) {
      if (!diagnosis.mismatches.empty()) return false;
    }
    return true;
  }
};

// A file, or the name of a scenario in one of scenario_folders(). Needs root. When it returns,
// nothing of the scenario is left: processes, namespaces, mounts, cgroups, files. If this process
// dies first, the kernel ends the sandbox with all that is in it, and then a process that outlives
// it removes the cgroups (Cgroups). Forks without exec: call it before other threads are started.
//
// Fails with kNotFound or kMalformed for the scenario itself, kPermission without root,
// kUnsupported where a server needs a cgroup and none can be made, and kIo or kInterrupted
// where a step could not be done or the scenario's time was over.
[[nodiscard]] Result<LabOutcome> run_scenario(const std::string& path_or_name,
                                              const LabOptions& options, const Diagnoser& diagnoser,
                                              const Sink& sink);

// Where named scenarios are looked for, in this order: ./scenarios, scenarios beside or above the
// executable (a build directory within the source tree), <executable>/../share/acceptq/scenarios,
// and $ACCEPTQ_SCENARIOS; the folders in each directly behind it. Only those that exist.
[[nodiscard]] std::vector<std::string> scenario_folders();

struct ScenarioEntry {
  std::string name;
  std::string title;
  std::string path;
};

// Every scenario of a folder, by name. A file that cannot be read as one is an error.
[[nodiscard]] Result<std::vector<ScenarioEntry>> list_scenarios(const std::string& folder);

// The path that `path_or_name` stands for.
[[nodiscard]] Result<std::string> find_scenario(const std::string& path_or_name);

}  // namespace acceptq::lab
