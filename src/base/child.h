// Children that may hang in the kernel.
#pragma once

#include <sys/types.h>

#include <chrono>

namespace acceptq {

// Waits for a child that ends, or was killed, to be gone, but no longer than `patience`: one that
// hangs in the kernel, unkillable, is left to its fate.
void reap_within(pid_t child, std::chrono::milliseconds patience);

}  // namespace acceptq
