// The way back to clients that were refused for another reason than a full queue.
#pragma once

#include "collect/scan.h"
#include "facts/snapshot.h"

namespace acceptq::collect {

// Looks up, in the network namespace of each listener that refused such packets, the routes to the
// clients in its ledger. Those of a namespace that cannot be entered stay unknown.
void look_up_routes_back(const Scanner& scanner, facts::Observation& observation);

}  // namespace acceptq::collect
