#include "bundle/packet_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include "base/text.h"

namespace acceptq::bundle {
namespace {

constexpr std::size_t kLeastV4 = 20;
constexpr std::size_t kV6 = 40;
constexpr std::size_t kLeastTcp = 20;
constexpr std::uint8_t kTcp = 6;

std::uint8_t at(std::string_view bytes, std::size_t place) {
  return static_cast<std::uint8_t>(bytes[place]);
}

bool is_v6(std::string_view packet) { return at(packet, 0) >> 4U == 6; }

// Of the IP header; empty where TCP does not follow.
std::optional<std::size_t> ip_length(std::string_view packet) {
  if (packet.size() < kLeastV4) return std::nullopt;
  if (is_v6(packet)) {
    if (packet.size() < kV6 || at(packet, 6) != kTcp) return std::nullopt;
    return kV6;
  }
  const std::size_t length = std::size_t{at(packet, 0) & 0xfU} * 4;
  if (at(packet, 0) >> 4U != 4 || length < kLeastV4 || at(packet, 9) != kTcp) return std::nullopt;
  return length;
}

template <typename T>
void put(std::string& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof bytes);
}

template <typename T>
void put_big(std::string& out, T value) {
  for (std::size_t i = sizeof value; i > 0; --i) {
    out += static_cast<char>(value >> ((i - 1) * 8) & 0xffU);
  }
}

template <std::size_t N>
facts::IpAddress address_at(std::string_view bytes, std::size_t place) {
  std::array<std::uint8_t, N> address{};
  std::memcpy(address.data(), bytes.data() + place, N);
  if constexpr (N == 4) return facts::IpAddress::v4(address);
  if constexpr (N == 16) return facts::IpAddress::v6(address);
}

template <std::size_t N>
void replace_address(std::size_t place, std::string& bytes, ReplacedNames& names) {
  const facts::IpAddress other = names.address(address_at<N>(bytes, place));
  std::memcpy(bytes.data() + place, other.bytes().data(), N);
}

// Options that hold no address: end, no operation, segment size, window scale, SACK permitted,
// SACK, timestamps.
const std::set<std::uint8_t>& known_options() {
  static const std::set<std::uint8_t> kKnown{0, 1, 2, 3, 4, 5, 8};
  return kKnown;
}

void blank_options(std::size_t begin, std::string& bytes) {
  constexpr char kNoOperation = 1;
  for (std::size_t place = begin; place < bytes.size();) {
    const std::uint8_t kind = at(bytes, place);
    const bool is_single = kind <= 1;
    if (kind == 0) {
      std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(place), bytes.end(), '\0');
      return;
    }
    std::size_t length = 1;
    if (!is_single) {
      // One that says too little, or too much, is the last.
      const std::size_t told = place + 1 < bytes.size() ? at(bytes, place + 1) : 0;
      length = told < 2 ? bytes.size() - place : std::min(told, bytes.size() - place);
      const bool is_whole = told >= 2 && place + told <= bytes.size();
      if (!is_whole || !known_options().contains(kind)) {
        std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(place), length, kNoOperation);
      }
    }
    place += length;
  }
}

}  // namespace

std::string to_pcap(std::span<const facts::PacketHeaders> packets) {
  constexpr std::uint32_t kMagic = 0xa1b23c4d;  // nanoseconds, in this machine's byte order
  constexpr std::uint32_t kSnap = 128;
  constexpr std::uint32_t kCookedV2 = 276;
  constexpr std::size_t kCooked = 20;
  std::string out;
  put(out, kMagic);
  put(out, std::uint16_t{2});
  put(out, std::uint16_t{4});
  put(out, std::uint64_t{0});
  put(out, kSnap);
  put(out, kCookedV2);
  for (const facts::PacketHeaders& packet : packets) {
    constexpr std::int64_t kNsPerSecond = 1'000'000'000;
    put(out, static_cast<std::uint32_t>(packet.at_ns / kNsPerSecond));
    put(out, static_cast<std::uint32_t>(packet.at_ns % kNsPerSecond));
    put(out, static_cast<std::uint32_t>(kCooked + packet.bytes.size()));
    put(out, static_cast<std::uint32_t>(kCooked + packet.length));
    constexpr std::uint16_t kIpV4 = 0x0800;
    constexpr std::uint16_t kIpV6 = 0x86dd;
    put_big(out, packet.bytes.empty() || !is_v6(packet.bytes) ? kIpV4 : kIpV6);
    put_big(out, std::uint16_t{0});
    put_big(out, packet.interface);
    put_big(out, packet.hardware_type);
    put_big(out, packet.packet_type);
    put_big(out, std::uint8_t{0});  // the link's own addresses are left out
    put_big(out, std::uint64_t{0});
    out += packet.bytes;
  }
  return out;
}

namespace {
constexpr std::string_view kBefore = "packets-";
constexpr std::string_view kAfter = ".pcap";
}  // namespace

std::string packet_file_name(NetnsId netns) {
  return fmt::format("{}{}{}", kBefore, netns.value(), kAfter);
}

std::optional<NetnsId> netns_of_packet_file(std::string_view name) {
  if (!name.starts_with(kBefore) || !name.ends_with(kAfter)) return std::nullopt;
  name.remove_prefix(kBefore.size());
  name.remove_suffix(kAfter.size());
  const auto number = parse_int<std::uint64_t>(name);
  return number ? std::optional(NetnsId(*number)) : std::nullopt;
}

void redact(facts::PacketHeaders& packet, ReplacedNames& names) {
  const auto ip = ip_length(packet.bytes);
  std::string& bytes = packet.bytes;
  if (!ip || bytes.size() < *ip + kLeastTcp) {
    bytes.clear();
    return;
  }
  if (is_v6(bytes)) {
    replace_address<16>(8, bytes, names);
    replace_address<16>(24, bytes, names);
  } else {
    constexpr std::size_t kIpChecksum = 10;
    replace_address<4>(12, bytes, names);
    replace_address<4>(16, bytes, names);
    std::fill_n(bytes.begin() + kIpChecksum, 2, '\0');
    // A recorded route is made of addresses.
    std::fill(bytes.begin() + kLeastV4, bytes.begin() + static_cast<std::ptrdiff_t>(*ip), '\1');
  }
  constexpr std::size_t kTcpChecksum = 16;
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(*ip + kTcpChecksum), 2, '\0');
  blank_options(*ip + kLeastTcp, bytes);
}

}  // namespace acceptq::bundle
