// How full connection tracking's table is, where a packet filter drops SYNs: a full table drops
// every packet of a new connection, and no rule shows it (nf_conntrack_alloc,
// net/netfilter/nf_conntrack_core.c).
#pragma once

#include "collect/scan.h"
#include "facts/snapshot.h"

namespace acceptq::collect {

// Adds the two numbers to the sysctls of each network namespace in which SYNs died in the packet
// filter, or had no answer for a reason that is not known. A namespace that cannot be entered, or
// has no connection tracking, stays without.
void look_at_conntrack(const Scanner& scanner, facts::Observation& observation);

}  // namespace acceptq::collect
