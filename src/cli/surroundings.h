// What executing a change needs of this host.
#pragma once

#include "apply/change.h"
#include "cli/host_now.h"

namespace acceptq::cli {

// Looks through `host`, which must outlive the result.
[[nodiscard]] apply::Surroundings surroundings_of(HostNow& host);

}  // namespace acceptq::cli
