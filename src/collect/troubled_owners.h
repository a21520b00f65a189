// What is learned only of the owners of listeners that are in trouble, as it costs more, and risks
// more, than may be spent on every process of a host.
#pragma once

#include "collect/scan.h"
#include "facts/snapshot.h"

namespace acceptq::collect {

// Processes of the later snapshot that hold a listener whose queue filled or which refused
// something: by pid, at most a few of one listener, and a bounded number in all.
[[nodiscard]] std::vector<Pid> troubled_owners(const facts::Observation& observation);

// Reads `program`, `language`, `open_files` and `open_files_limit` of these
// (procfs/owner_details.h).
void describe_troubled_owners(const ScanOptions& options, facts::Observation& observation);

}  // namespace acceptq::collect
