// Takes one kind of evidence out of an observation, as on a host that does not give it: an answer
// may then become unknown, but no other. Pure.
#pragma once

#include <cstdint>
#include <span>

#include "facts/snapshot.h"

namespace acceptq::lab {

struct Signal {
  const char* name;  // "stacks"
  void (*remove)(facts::Observation& observation);
};

// All that can be taken out, in the order of tables.
[[nodiscard]] std::span<const Signal> signals();

// Removing "names, ports" gives each port another number, one for the same.
[[nodiscard]] std::uint16_t renumbered(std::uint16_t port);

// Where a listener of `port` is after `signal` was removed.
[[nodiscard]] std::uint16_t port_without(const Signal& signal, std::uint16_t port);

}  // namespace acceptq::lab
