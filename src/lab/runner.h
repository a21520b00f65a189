// Walks the steps of a scenario inside the sandbox, and says over the channel what it does and
// sees.
#pragma once

#include <string>

#include "lab/cgroups.h"
#include "lab/sandbox.h"
#include "lab/scenario.h"

namespace acceptq::lab {

// Messages are JSON objects with a member "kind": "text" (a line to show), "show", "load",
// "diagnose" (to be answered; "step" is its number in the scenario, from 0), and last "done" or
// "error".
// `cgroups`: null where no server needs one.
void run_steps(const Scenario& scenario, const std::string& slowfs, const Cgroups* cgroups,
               const Channel& channel);

}  // namespace acceptq::lab
