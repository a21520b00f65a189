// check --until-overflow.
#pragma once

#include "base/result.h"
#include "cli/commands.h"
#include "facts/snapshot.h"

namespace acceptq::cli {

// Waits for the overflow that is asked for, and runs --exec at it. The selectors are resolved.
[[nodiscard]] Result<facts::Observation> await_on_host(
    const CheckOptions& options, const std::vector<select::Selector>& selectors);

}  // namespace acceptq::cli
