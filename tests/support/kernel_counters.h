// What the kernel has counted in a network namespace of a test's own.
#pragma once

#include "facts/counters.h"
#include "support/netns.h"

namespace acceptq::test {

// All of /proc/net, by nstat's names; empty where it cannot be read.
[[nodiscard]] facts::Counters counters_of(const TestNetns& ns);

}  // namespace acceptq::test
