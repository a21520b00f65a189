// Runs labelled scenarios, each in a process of its own.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "lab/lab.h"
#include "lab/score.h"

namespace acceptq::lab {

// The scenarios that `words` stand for, as paths: each a folder, the name of one in a scenario
// folder, or what find_scenario() takes. Of a folder only those that expect a cause, or none. No
// words: all such scenarios of all scenario_folders().
[[nodiscard]] Result<std::vector<std::string>> scenarios_to_score(
    const std::vector<std::string>& words);

// Runs one. Observing leaves threads behind, which run_scenario() may not be called with: so a
// child does it, and a crash of the diagnosis is a failure of this scenario only. Needs root.
[[nodiscard]] ScenarioScore score_scenario(const std::string& path, const LabOptions& options,
                                           const Diagnoser& diagnoser);

}  // namespace acceptq::lab
