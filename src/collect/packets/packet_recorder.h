// Headers of handshakes' packets, kept as they pass the interfaces of network namespaces.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "collect/packets/packet_tap.h"
#include "facts/packet_headers.h"

namespace acceptq::collect::packets {

struct RecordLimits {
  std::chrono::nanoseconds time{};
  std::size_t packets = 100'000;  // of all namespaces
};

struct Recorded {
  std::vector<facts::PacketHeaders> packets;  // by namespace, in the order in which they came
  std::vector<facts::BlindSpot> blind_spots;  // what could not be opened, was lost, or was too much
};

// Packets to and from the ports that are chosen, until the time is over, there are too many, or
// `goes_on` says no. Their payload is never kept.
[[nodiscard]] Recorded record_packets(std::span<const TapChoice> choices,
                                      const RecordLimits& limits,
                                      const std::function<bool()>& goes_on);

}  // namespace acceptq::collect::packets
