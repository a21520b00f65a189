// Listeners that packets do not tell apart.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "facts/snapshot.h"

namespace acceptq::collect::packets {

// Of a SO_REUSEPORT group the kernel chooses a member for each handshake, by a hash or a program of
// its own (reuseport_select_sock): no packet says which. Empty where no port of these is shared.
[[nodiscard]] std::optional<facts::BlindSpot> shared_ports_unseen(
    const facts::Snapshot& snapshot, NetnsId netns, std::span<const std::uint16_t> ports);

}  // namespace acceptq::collect::packets
