// An observation without the names that a stranger should not read: addresses, hosts, pods,
// containers, paths. Pure.
#pragma once

#include <span>

#include "facts/packet_headers.h"
#include "facts/snapshot.h"

namespace acceptq::bundle {

// Each name becomes another one, the same wherever it is, of the same form: what a diagnosis goes
// by stays. Kept are ports, PIDs, inodes, numbers of users, names of programs and threads, wildcard
// and loopback addresses, which addresses share a /24 or /48, which paths lie below one another,
// and the usual folders of a system (/usr/sbin). Two redacted observations of one host have other
// names. `packets`, which are changed, go with it: their addresses become the same other ones.
[[nodiscard]] facts::Observation redacted(facts::Observation observation,
                                          std::span<facts::PacketHeaders> packets = {});

}  // namespace acceptq::bundle
