// What is told of pods and containers, in the form of the API that describes them.
#pragma once

#include <nlohmann/json.hpp>

#include "import/pieces.h"

namespace acceptq::imports {

// The pods (as the Kubernetes API writes them, one or a list) and containers (docker inspect) of
// `json` that are or have been running; a manifest is only what somebody wants. False where it is
// neither.
bool describe_workloads(const nlohmann::json& json, Descriptions& descriptions);

}  // namespace acceptq::imports
