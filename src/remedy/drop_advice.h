// What to do about SYNs that die before they reach a listener (AQ401), by the kernel's reason.
#pragma once

#include <vector>

#include "diagnose/report.h"
#include "facts/namespace.h"
#include "facts/process.h"

namespace acceptq::remedy {

// Where to look, for the reason of most packets first; nothing for a reason that nothing is known
// to do about. `owner` as in syn_remedies(); `ns` null: not known.
[[nodiscard]] std::vector<diagnose::Remedy> drop_remedies(const diagnose::Finding& finding,
                                                          const facts::Namespace* ns,
                                                          const facts::Process* owner);

}  // namespace acceptq::remedy
