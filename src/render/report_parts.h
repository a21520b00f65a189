// The sentences of a report that belong to no listener in trouble, the same for every layout.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "diagnose/report.h"
#include "facts/snapshot.h"

namespace acceptq::render {

// The host, its kernel, how much was looked at, and for how long.
[[nodiscard]] std::vector<std::string> host_parts(const facts::Observation& observation);

// Paragraphs for whoever has never heard of these queues.
[[nodiscard]] std::vector<std::string> primer(const diagnose::Report& report);

// Notices but for those of the listeners that are shown with their findings. Those of one kind are
// one sentence, unless there is only one or each is wanted.
[[nodiscard]] std::vector<std::string> notices(const diagnose::Report& report,
                                               const facts::Observation& observation,
                                               const std::set<std::string>& shown, bool each);

// The same cause in many namespaces is one, with "… and 3 more" for its scope.
[[nodiscard]] std::vector<facts::BlindSpot> blind_spots_by_cause(const facts::Snapshot& snapshot);

}  // namespace acceptq::render
