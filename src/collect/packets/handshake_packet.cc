#include "collect/packets/handshake_packet.h"

#include <netinet/in.h>

namespace acceptq::collect::packets {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::size_t kTcpHeader = 20;

std::uint16_t read_16(Bytes bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

std::uint32_t read_32(Bytes bytes, std::size_t at) {
  return std::uint32_t{read_16(bytes, at)} << 16 | read_16(bytes, at + 2);
}

// `segment` is what there is of the TCP segment, `size` how long it was.
bool read_segment(Bytes segment, std::size_t size, HandshakePacket& packet) {
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
  return true;
}

bool read_v4(Bytes bytes, HandshakePacket& packet) {
  constexpr std::size_t kLeast = 20;
  if (bytes.size() < kLeast) return false;
  const std::size_t header = std::size_t{bytes[0] & 0x0fU} * 4;
  const std::size_t total = read_16(bytes, 2);
  const bool is_fragment = (read_16(bytes, 6) & 0x3fffU) != 0;
  if (header < kLeast || bytes.size() < header || total < header || is_fragment ||
      bytes[9] != IPPROTO_TCP) {
    return false;
  }
  packet.source = facts::IpAddress::v4(bytes.subspan<12, 4>());
  packet.destination = facts::IpAddress::v4(bytes.subspan<16, 4>());
  return read_segment(bytes.subspan(header), total - header, packet);
}

bool read_v6(Bytes bytes, HandshakePacket& packet) {
  constexpr std::size_t kHeader = 40;
  if (bytes.size() < kHeader || bytes[6] != IPPROTO_TCP) return false;
  packet.source = facts::IpAddress::v6(bytes.subspan<8, 16>());
  packet.destination = facts::IpAddress::v6(bytes.subspan<24, 16>());
  return read_segment(bytes.subspan(kHeader), read_16(bytes, 4), packet);
}

}  // namespace

std::optional<HandshakePacket> parse_packet(std::span<const std::uint8_t> bytes) {
  HandshakePacket packet;
  if (bytes.empty()) return std::nullopt;
  const unsigned version = bytes[0] >> 4U;
  const bool is_good = version == 4   ? read_v4(bytes, packet)
                       : version == 6 ? read_v6(bytes, packet)
                                      : false;
  return is_good ? std::optional(packet) : std::nullopt;
}

}  // namespace acceptq::collect::packets
