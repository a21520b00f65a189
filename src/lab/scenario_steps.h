// The steps of a scenario file, apart from what they act on.
#pragma once

#include <optional>

#include "base/yaml_reader.h"
#include "lab/scenario.h"

namespace acceptq::lab {

// One entry of `steps`, its names checked against what `scenario` already defines. Errors go to
// `errors`; what is returned then does not matter.
[[nodiscard]] Step parse_step(const YAML::Node& node, const Scenario& scenario, YamlErrors& errors);

}  // namespace acceptq::lab
