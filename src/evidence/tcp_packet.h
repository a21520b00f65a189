// One TCP packet, from the bytes that a packet socket or a capture gives. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "evidence/tcp_options.h"
#include "facts/address.h"

namespace acceptq::evidence {

// Which way a packet went at the host that looked at it, where that is told.
enum class Direction : std::uint8_t { kUnknown, kIn, kOut };

struct TcpPacket {
  std::int64_t at_ns = 0;
  facts::IpAddress source;
  facts::IpAddress destination;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint32_t sequence = 0;
  std::uint32_t acknowledged = 0;
  std::int32_t ip_id = -1;  // IPv4's; -1: none, or not known
  std::uint8_t ttl = 0;     // or hop limit; 0: not known
  Direction direction = Direction::kUnknown;
  bool syn = false;
  bool ack = false;
  bool rst = false;
  bool has_data = false;
  // Its sequence number is counted from the flow's first one, as tcpdump prints it.
  bool is_relative = false;
  TcpOptions options;  // of a SYN or SYN-ACK; of others no more than the timestamp

  friend bool operator==(const TcpPacket&, const TcpPacket&) = default;
};

// What follows an IP header and the extension headers behind it.
struct IpPayload {
  std::uint8_t protocol = 0;
  std::size_t at = 0;    // where it begins
  std::size_t size = 0;  // how long it was, of which less may be there
  bool is_fragment = false;
};

// Of an IPv4 or IPv6 packet, from its first byte on. Nothing where its headers are cut short or lie
// about their lengths.
[[nodiscard]] std::optional<IpPayload> ip_payload(std::span<const std::uint8_t> bytes);

// An IPv4 or IPv6 packet, from its first byte on; at_ns and direction stay as they are by default.
// `bytes` may end behind the TCP header's first 20 bytes; then its options are not known. Nothing
// for what is no TCP packet, a fragment, cut shorter, or lies about its lengths.
[[nodiscard]] std::optional<TcpPacket> parse_packet(std::span<const std::uint8_t> bytes);

// How much of `bytes` are headers of IP and TCP with their options, and how long the packet was.
// Nothing where parse_packet() gives nothing.
struct HeaderLengths {
  std::size_t kept = 0;
  std::uint32_t packet = 0;
};
[[nodiscard]] std::optional<HeaderLengths> header_lengths(std::span<const std::uint8_t> bytes);

}  // namespace acceptq::evidence
