// Selectors, where the host has to be asked for what they mean, and reports narrowed to them.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "diagnose/report.h"
#include "facts/snapshot.h"
#include "select/selection.h"

namespace acceptq::cli {

// Turns netns:PATH into netns:INODE; fails where the path is no network namespace.
[[nodiscard]] Status resolve(std::vector<select::Selector>& selectors);

// Whether /proc has the process.
[[nodiscard]] bool is_process(Pid pid);

// The exit code for an error of resolve(), select::select() or narrow(): a selector that means
// nothing is bad usage; one that nothing matches, something that could not be observed.
[[nodiscard]] int code_of_selection(const Error& error);

// Keeps the listeners that a selector matches, in the observation and in the report alike, with
// their findings, their namespaces and the blind spots that concern them. No selectors: everything
// stays. Fails as select::select() does, and returns its warnings; the blind spots behind these
// stay.
[[nodiscard]] Result<std::vector<std::string>> narrow(
    const std::vector<select::Selector>& selectors, facts::Observation& observation,
    diagnose::Report& report, const select::IsProcess& ask_host);

}  // namespace acceptq::cli
