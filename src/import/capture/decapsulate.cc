#include "import/capture/decapsulate.h"

#include <netinet/in.h>

#include <optional>

namespace acceptq::imports::capture {
namespace {

using Bytes = std::span<const std::uint8_t>;
using evidence::Direction;

constexpr std::uint16_t kLinkNull = 0;
constexpr std::uint16_t kLinkEthernet = 1;
constexpr std::uint16_t kLinkRawBsd = 12;
constexpr std::uint16_t kLinkRawOpenBsd = 14;
constexpr std::uint16_t kLinkRaw = 101;
constexpr std::uint16_t kLinkLoop = 108;
constexpr std::uint16_t kLinkCooked = 113;
constexpr std::uint16_t kLinkV4 = 228;
constexpr std::uint16_t kLinkV6 = 229;
constexpr std::uint16_t kLinkCooked2 = 276;

constexpr std::uint16_t kV4 = 0x0800;
constexpr std::uint16_t kV6 = 0x86dd;
constexpr std::uint16_t kVlan = 0x8100;
constexpr std::uint16_t kServiceVlan = 0x88a8;
constexpr std::uint16_t kOldServiceVlan = 0x9100;
constexpr std::uint16_t kMpls = 0x8847;
constexpr std::uint16_t kPppoe = 0x8864;
constexpr std::uint16_t kBridged = 0x6558;  // Ethernet inside of GRE or Geneve

// IANA's, and the one that Linux has used since before there was one.
constexpr std::uint16_t kVxlanPort = 4789;
constexpr std::uint16_t kLinuxVxlanPort = 8472;
constexpr std::uint16_t kGenevePort = 6081;

constexpr int kMostLayers = 8;

std::uint16_t read_16(Bytes bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

Decapsulated as(Content content) { return {.content = content, .packet = {}}; }

Decapsulated of_ethertype(std::uint16_t type, Bytes bytes, int layers);

Decapsulated of_ethernet(Bytes bytes, int layers) {
  constexpr std::size_t kHeader = 14;
  if (bytes.size() < kHeader) return as(Content::kCut);
  return of_ethertype(read_16(bytes, 12), bytes.subspan(kHeader), layers);
}

Decapsulated of_gre(Bytes bytes, int layers) {
  if (bytes.size() < 4) return as(Content::kCut);
  const unsigned flags = bytes[0];
  if ((bytes[1] & 7U) != 0) return as(Content::kOther);  // version 1 carries PPP
  const std::size_t header = 4 + ((flags & 0x80U) != 0 ? 4 : 0) + ((flags & 0x20U) != 0 ? 4 : 0) +
                             ((flags & 0x10U) != 0 ? 4 : 0);
  if (bytes.size() < header) return as(Content::kCut);
  return of_ethertype(read_16(bytes, 2), bytes.subspan(header), layers);
}

Decapsulated of_udp(Bytes bytes, int layers) {
  constexpr std::size_t kUdp = 8;
  constexpr std::size_t kHeader = 8;  // VXLAN's, and Geneve's without options
  if (bytes.size() < 4) return as(Content::kCut);
  const std::uint16_t port = read_16(bytes, 2);
  const bool is_vxlan = port == kVxlanPort || port == kLinuxVxlanPort;
  if (!is_vxlan && port != kGenevePort) return as(Content::kOther);
  if (bytes.size() < kUdp + kHeader) return as(Content::kCut);
  const Bytes tunnel = bytes.subspan(kUdp);
  if (is_vxlan) {
    constexpr unsigned kHasNetwork = 0x08;
    if ((tunnel[0] & kHasNetwork) == 0) return as(Content::kOther);
    return of_ethernet(tunnel.subspan(kHeader), layers);
  }
  const std::size_t header = kHeader + std::size_t{tunnel[0] & 0x3fU} * 4;
  if (tunnel.size() < header) return as(Content::kCut);
  return of_ethertype(read_16(tunnel, 2), tunnel.subspan(header), layers);
}

Decapsulated of_ip(Bytes bytes, int layers) {
  const std::optional<evidence::IpPayload> payload = evidence::ip_payload(bytes);
  if (!payload) return as(Content::kCut);
  if (payload->is_fragment) return as(Content::kFragment);
  switch (payload->protocol) {
    case IPPROTO_TCP: {
      const auto packet = evidence::parse_packet(bytes);
      if (!packet) return as(Content::kCut);
      return {.content = Content::kTcp, .packet = *packet};
    }
    case IPPROTO_IPIP:
    case IPPROTO_IPV6:
      return of_ethertype(payload->protocol == IPPROTO_IPIP ? kV4 : kV6, bytes.subspan(payload->at),
                          layers);
    case IPPROTO_GRE:
      return of_gre(bytes.subspan(payload->at), layers);
    case IPPROTO_UDP:
      return of_udp(bytes.subspan(payload->at), layers);
    default:
      return as(Content::kOther);
  }
}

// Down to the label that is the last of the stack; what is behind it has no type.
Decapsulated of_mpls(Bytes bytes, int layers) {
  constexpr std::size_t kLabel = 4;
  for (;;) {
    if (bytes.size() <= kLabel) return as(Content::kCut);
    const bool is_last = (bytes[2] & 1U) != 0;
    bytes = bytes.subspan(kLabel);
    if (is_last) break;
  }
  const unsigned version = bytes[0] >> 4U;
  if (version != 4 && version != 6) return as(Content::kOther);
  return of_ethertype(version == 4 ? kV4 : kV6, bytes, layers);
}

Decapsulated of_pppoe(Bytes bytes, int layers) {
  constexpr std::size_t kHeader = 8;
  if (bytes.size() < kHeader) return as(Content::kCut);
  const std::uint16_t protocol = read_16(bytes, 6);
  if (protocol != 0x21 && protocol != 0x57) return as(Content::kOther);
  return of_ethertype(protocol == 0x21 ? kV4 : kV6, bytes.subspan(kHeader), layers);
}

Decapsulated of_ethertype(std::uint16_t type, Bytes bytes, int layers) {
  if (layers >= kMostLayers) return as(Content::kOther);
  switch (type) {
    case kV4:
    case kV6:
      return of_ip(bytes, layers + 1);
    case kVlan:
    case kServiceVlan:
    case kOldServiceVlan:
      if (bytes.size() < 4) return as(Content::kCut);
      return of_ethertype(read_16(bytes, 2), bytes.subspan(4), layers + 1);
    case kMpls:
      return of_mpls(bytes, layers + 1);
    case kPppoe:
      return of_pppoe(bytes, layers + 1);
    case kBridged:
      return of_ethernet(bytes, layers + 1);
    default:
      return as(Content::kOther);
  }
}

Direction direction_of(unsigned packet_type) {
  constexpr unsigned kToUs = 0;
  constexpr unsigned kOutgoing = 4;
  if (packet_type == kToUs) return Direction::kIn;
  return packet_type == kOutgoing ? Direction::kOut : Direction::kUnknown;
}

Decapsulated of_cooked(Bytes bytes) {
  constexpr std::size_t kHeader = 16;
  if (bytes.size() < kHeader) return as(Content::kCut);
  Decapsulated found = of_ethertype(read_16(bytes, 14), bytes.subspan(kHeader), 0);
  found.packet.direction = direction_of(read_16(bytes, 0));
  return found;
}

Decapsulated of_cooked_2(Bytes bytes) {
  constexpr std::size_t kHeader = 20;
  if (bytes.size() < kHeader) return as(Content::kCut);
  Decapsulated found = of_ethertype(read_16(bytes, 0), bytes.subspan(kHeader), 0);
  found.packet.direction = direction_of(bytes[10]);
  return found;
}

// The family is AF_INET, or AF_INET6 of one of the BSDs or macOS, in either byte order; the version
// of what follows says as much.
Decapsulated of_raw(Bytes bytes) {
  if (bytes.empty()) return as(Content::kCut);
  const unsigned version = bytes[0] >> 4U;
  if (version != 4 && version != 6) return as(Content::kOther);
  return of_ip(bytes, 0);
}

}  // namespace

bool is_known_link(std::uint16_t link_type) {
  switch (link_type) {
    case kLinkNull:
    case kLinkEthernet:
    case kLinkRawBsd:
    case kLinkRawOpenBsd:
    case kLinkRaw:
    case kLinkLoop:
    case kLinkCooked:
    case kLinkV4:
    case kLinkV6:
    case kLinkCooked2:
      return true;
    default:
      return false;
  }
}

Decapsulated decapsulate(std::uint16_t link_type, Bytes bytes) {
  switch (link_type) {
    case kLinkEthernet:
      return of_ethernet(bytes, 0);
    case kLinkCooked:
      return of_cooked(bytes);
    case kLinkCooked2:
      return of_cooked_2(bytes);
    case kLinkNull:
    case kLinkLoop:
      return bytes.size() < 4 ? as(Content::kCut) : of_raw(bytes.subspan(4));
    default:
      return is_known_link(link_type) ? of_raw(bytes) : as(Content::kUnknownLink);
  }
}

}  // namespace acceptq::imports::capture
