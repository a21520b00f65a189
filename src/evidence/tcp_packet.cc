#include "evidence/tcp_packet.h"

#include <netinet/in.h>

#include <algorithm>

namespace acceptq::evidence {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::size_t kTcpHeader = 20;
// How every system begins the options behind a handshake (RFC 7323, appendix A).
constexpr std::uint32_t kTimestampAlone = 0x0101080a;
constexpr std::size_t kV4Header = 20;
constexpr std::size_t kV6Header = 40;

std::uint16_t read_16(Bytes bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

std::uint32_t read_32(Bytes bytes, std::size_t at) {
  return std::uint32_t{read_16(bytes, at)} << 16 | read_16(bytes, at + 2);
}

// `segment` is what there is of the TCP segment, `size` how long it was.
bool read_segment(Bytes segment, std::size_t size, TcpPacket& packet) {
  if (segment.size() < kTcpHeader || size < kTcpHeader) return false;
  const std::size_t header = std::size_t{segment[12]} / 16 * 4;
  if (header < kTcpHeader || header > size) return false;
  packet.source_port = read_16(segment, 0);
  packet.destination_port = read_16(segment, 2);
  packet.sequence = read_32(segment, 4);
  packet.acknowledged = read_32(segment, 8);
  const std::uint8_t flags = segment[13];
  packet.syn = (flags & 0x02U) != 0;
  packet.rst = (flags & 0x04U) != 0;
  packet.ack = (flags & 0x10U) != 0;
  packet.has_data = size > header;
  if (packet.syn && segment.size() >= header) {
    packet.options = parse_tcp_options(segment.subspan(kTcpHeader, header - kTcpHeader));
    packet.options.ecn = (flags & 0x40U) != 0;
  } else if (segment.size() >= kTcpHeader + 12 && header >= kTcpHeader + 12 &&
             read_32(segment, kTcpHeader) == kTimestampAlone) {
    packet.options.has_timestamp = true;
    packet.options.timestamp = read_32(segment, kTcpHeader + 4);
  }
  return true;
}

std::optional<IpPayload> v4_payload(Bytes bytes) {
  if (bytes.size() < kV4Header) return std::nullopt;
  const std::size_t header = std::size_t{bytes[0] & 0x0fU} * 4;
  // Segments that the network card or the kernel puts together or takes apart later can be longer
  // than the field holds, and say 0.
  const std::size_t said = read_16(bytes, 2);
  const std::size_t total = said != 0 ? said : bytes.size();
  if (header < kV4Header || bytes.size() < header || total < header) return std::nullopt;
  return IpPayload{.protocol = bytes[9],
                   .at = header,
                   .size = total - header,
                   .is_fragment = (read_16(bytes, 6) & 0x3fffU) != 0};
}

// Steps over the extension headers (RFC 8200).
std::optional<IpPayload> v6_payload(Bytes bytes) {
  if (bytes.size() < kV6Header) return std::nullopt;
  const std::size_t said = read_16(bytes, 4);
  const std::size_t end = said != 0 ? kV6Header + said : bytes.size();
  IpPayload payload{.protocol = bytes[6], .at = kV6Header};
  for (;;) {
    const std::uint8_t protocol = payload.protocol;
    const bool has_length = protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING ||
                            protocol == IPPROTO_DSTOPTS || protocol == IPPROTO_AH;
    if (!has_length && protocol != IPPROTO_FRAGMENT) break;
    constexpr std::size_t kLeast = 8;
    if (bytes.size() < payload.at + kLeast) return std::nullopt;
    const std::size_t length = bytes[payload.at + 1];
    if (protocol == IPPROTO_FRAGMENT) {
      constexpr unsigned kOffsetAndMore = 0xfff9;
      payload.is_fragment |= (read_16(bytes, payload.at + 2) & kOffsetAndMore) != 0;
      payload.protocol = bytes[payload.at];
      payload.at += kLeast;
    } else {
      payload.protocol = bytes[payload.at];
      payload.at += protocol == IPPROTO_AH ? (length + 2) * 4 : (length + 1) * 8;
    }
  }
  if (payload.at > end || payload.at > bytes.size()) return std::nullopt;
  payload.size = end - payload.at;
  return payload;
}

}  // namespace

std::optional<IpPayload> ip_payload(std::span<const std::uint8_t> bytes) {
  if (bytes.empty()) return std::nullopt;
  const unsigned version = bytes[0] >> 4U;
  if (version == 4) return v4_payload(bytes);
  if (version == 6) return v6_payload(bytes);
  return std::nullopt;
}

std::optional<TcpPacket> parse_packet(std::span<const std::uint8_t> bytes) {
  const std::optional<IpPayload> payload = ip_payload(bytes);
  if (!payload || payload->is_fragment || payload->protocol != IPPROTO_TCP) return std::nullopt;
  TcpPacket packet;
  if (bytes[0] >> 4U == 4) {
    packet.source = facts::IpAddress::v4(bytes.subspan<12, 4>());
    packet.destination = facts::IpAddress::v4(bytes.subspan<16, 4>());
    packet.ttl = bytes[8];
    packet.ip_id = read_16(bytes, 4);
  } else {
    packet.source = facts::IpAddress::v6(bytes.subspan<8, 16>());
    packet.destination = facts::IpAddress::v6(bytes.subspan<24, 16>());
    packet.ttl = bytes[7];
  }
  if (!read_segment(bytes.subspan(payload->at), payload->size, packet)) return std::nullopt;
  return packet;
}

std::optional<HeaderLengths> header_lengths(std::span<const std::uint8_t> bytes) {
  if (!parse_packet(bytes)) return std::nullopt;
  const std::optional<IpPayload> payload = ip_payload(bytes);
  const std::size_t segment_header = std::size_t{bytes[payload->at + 12]} / 16 * 4;
  return HeaderLengths{.kept = std::min(bytes.size(), payload->at + segment_header),
                       .packet = static_cast<std::uint32_t>(payload->at + payload->size)};
}

}  // namespace acceptq::evidence
