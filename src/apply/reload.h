// Has a process read its configuration again: by a signal that it catches, never by one that would
// end it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "facts/change.h"

namespace acceptq::apply {

// Runs the step's check, as the process's user, in a process group that is killed at the deadline.
// kMalformed, with the last that it said, where it finds a fault; fine where there is none to run.
[[nodiscard]] Status check_configuration(
    const facts::ReloadStep& step,
    std::chrono::milliseconds deadline = std::chrono::milliseconds{10'000});

// Through a pidfd of just this process. kNotFound where it has ended; kUnsupported where it does
// not catch the signal.
[[nodiscard]] Status signal_process(const facts::ReloadStep& step);

// Whether the process still runs.
[[nodiscard]] bool is_alive(const facts::ReloadStep& step);

// The mask of caught signals in the text of /proc/PID/status (SigCgt, fs/proc/array.c, task_sig);
// 0 where it is not there.
[[nodiscard]] std::uint64_t caught_signals(std::string_view status);

}  // namespace acceptq::apply
