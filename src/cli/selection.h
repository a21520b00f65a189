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
// stays. kNotFound, naming the selector, where one matches nothing.
[[nodiscard]] Status narrow(const std::vector<Selector>& selectors, facts::Observation& observation,
                            diagnose::Report& report);

}  // namespace acceptq::cli
