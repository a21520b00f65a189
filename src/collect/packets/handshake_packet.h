// One packet of a handshake, from the bytes that a packet socket gives. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "facts/address.h"

namespace acceptq::collect::packets {

struct HandshakePacket {
  std::int64_t at_ns = 0;  // CLOCK_MONOTONIC
  facts::IpAddress source;
  facts::IpAddress destination;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint32_t sequence = 0;
  std::uint32_t acknowledged = 0;
  bool syn = false;
  bool ack = false;
  bool rst = false;
  bool has_data = false;

  friend bool operator==(const HandshakePacket&, const HandshakePacket&) = default;
};

// An IPv4 or IPv6 packet, from its first byte on; at_ns stays 0. `bytes` may end behind the TCP
// header's first 20 bytes. Nothing for what is no TCP packet, a fragment, cut shorter, or lies
// about its lengths; and for IPv6 with extension headers.
[[nodiscard]] std::optional<HandshakePacket> parse_packet(std::span<const std::uint8_t> bytes);

}  // namespace acceptq::collect::packets
