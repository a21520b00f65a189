// A process that is held by a descriptor, so that its number cannot become another's.
#pragma once

#include <cstdint>

#include "base/unique_fd.h"
#include "base/units.h"

namespace acceptq::apply {

// pidfd_open(2), Linux 5.3; not valid, with errno, where it fails.
[[nodiscard]] UniqueFd hold_process(Pid pid);

// Whether what is held is the process that was started at `start_ticks` (facts::Process), and runs.
[[nodiscard]] bool is_the_process(int pidfd, Pid pid, std::uint64_t start_ticks);

}  // namespace acceptq::apply
