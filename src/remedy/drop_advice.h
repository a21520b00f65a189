// What to do about SYNs that die before they reach a listener (AQ401), by the kernel's reason, and
// about handshakes that are not completed (AQ405).
#pragma once

#include <cstdint>
#include <vector>

#include "diagnose/report.h"
#include "facts/namespace.h"
#include "facts/process.h"

namespace acceptq::remedy {

// Where to look, for the reason of most packets first; nothing for a reason that nothing is known
// to do about. `owner` as in syn_remedies(); `ns` null: not known; `port` is the
// listener's.
[[nodiscard]] std::vector<diagnose::Remedy> drop_remedies(const diagnose::Finding& finding,
                                                          const facts::Namespace* ns,
                                                          const facts::Process* owner,
                                                          std::uint16_t port);

}  // namespace acceptq::remedy
