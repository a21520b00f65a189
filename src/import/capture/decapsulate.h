// From a captured frame to the TCP packet inside, through what carries it. Pure.
#pragma once

#include <cstdint>
#include <span>

#include "evidence/tcp_packet.h"

namespace acceptq::imports::capture {

enum class Content {
  kTcp,
  kOther,     // ARP, UDP, ICMP …
  kFragment,  // of a TCP or unknown packet: no port can be told
  kCut,       // the capture kept too few bytes of it
  kUnknownLink,
};

struct Decapsulated {
  Content content = Content::kOther;
  evidence::TcpPacket packet;  // with its direction, where the frame tells; at_ns stays 0
};

// `link_type` is one of https://www.tcpdump.org/linktypes.html: Ethernet, Linux cooked (1 and 2),
// raw IP, BSD loopback. Inside: VLAN tags, MPLS, PPPoE, IP in IP, GRE, VXLAN and Geneve (by their
// UDP ports), eight layers deep at most.
[[nodiscard]] Decapsulated decapsulate(std::uint16_t link_type,
                                       std::span<const std::uint8_t> bytes);
[[nodiscard]] bool is_known_link(std::uint16_t link_type);

}  // namespace acceptq::imports::capture
