// Narrows a report to what was selected.
#pragma once

#include <vector>

#include "base/result.h"
#include "cli/selector.h"
#include "diagnose/report.h"
#include "facts/snapshot.h"

namespace acceptq::cli {

// Turns netns:PATH into netns:INODE; fails where the path is no network namespace.
[[nodiscard]] Status resolve(std::vector<Selector>& selectors);

// Keeps the listeners that a selector matches, in the observation and in the report alike, with
// their findings, their namespaces and the blind spots that concern them. No selectors: everything
// stays. kNotFound, naming the selector, where one matches nothing; but where something that was
// not observed may hold it, a warning that says so, and that blind spot stays. `live`: the
// observation is of this host and of now.
[[nodiscard]] Result<std::vector<std::string>> narrow(const std::vector<Selector>& selectors,
                                                      facts::Observation& observation,
                                                      diagnose::Report& report, bool live);

}  // namespace acceptq::cli
