// Compares what a diagnosis says with what a scenario expects of it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lab/lab.h"

namespace acceptq::lab {

// One sentence per expectation that does not hold, about the TCP listener on `port` in `netns`.
// Findings of other listeners are not looked at, those of the namespace or the host are. With
// several listeners on the port (SO_REUSEPORT, IPv4 and IPv6) each expectation must hold for one.
[[nodiscard]] std::vector<std::string> compare(const Expect& expect, NetnsId netns,
                                               std::uint16_t port, const Diagnosis& diagnosis);

struct GivenCause {
  diagnose::CauseKind kind;
  double confidence = 0;
};

// The cause that the diagnosis gives for the TCP listener on `port` in `netns`: that of the first
// finding with one, among those of the listener and of its namespace as a whole.
[[nodiscard]] std::optional<GivenCause> cause_given(NetnsId netns, std::uint16_t port,
                                                    const Diagnosis& diagnosis);

}  // namespace acceptq::lab
