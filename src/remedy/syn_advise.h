// What to do about SYNs that are refused, a flood of them, or resets of those that are refused.
#pragma once

#include <vector>

#include "diagnose/report.h"
#include "facts/namespace.h"
#include "facts/process.h"

namespace acceptq::remedy {

// Remedies for AQ109, AQ201, AQ203 and AQ205; none for other findings. `owner` is of the listener,
// or null where it is not known; then a process of the namespace serves to enter it.
[[nodiscard]] std::vector<diagnose::Remedy> syn_remedies(const diagnose::Finding& finding,
                                                         const facts::Namespace& ns,
                                                         const facts::Process* owner);

}  // namespace acceptq::remedy
