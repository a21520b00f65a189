// What to do about handshakes that are refused though no queue is full (AQ107), by what the lookup
// of the routes back to the refused clients gave.
#pragma once

#include <vector>

#include "diagnose/report.h"
#include "facts/namespace.h"
#include "facts/process.h"

namespace acceptq::remedy {

// Nothing where no route was looked up. `owner` as in syn_remedies(); `ns` null: not known.
[[nodiscard]] std::vector<diagnose::Remedy> route_remedies(
    const std::vector<facts::RefusedClient>& clients, const facts::Namespace* ns,
    const facts::Process* owner);

}  // namespace acceptq::remedy
