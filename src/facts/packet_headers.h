// The headers of one packet, as they are written into a bundle.
#pragma once

#include <cstdint>
#include <string>

#include "base/units.h"

namespace acceptq::facts {

struct PacketHeaders {
  std::int64_t at_ns = 0;  // since 1970
  NetnsId netns;
  std::uint32_t interface = 0;
  std::uint16_t hardware_type = 0;  // ARPHRD_…
  std::uint8_t packet_type = 0;     // PACKET_HOST, PACKET_OUTGOING …
  std::string bytes;                // IPv4 or IPv6 and TCP with its options; no payload
  std::uint32_t length = 0;         // of the whole packet, from its IP header on

  friend bool operator==(const PacketHeaders&, const PacketHeaders&) = default;
};

}  // namespace acceptq::facts
