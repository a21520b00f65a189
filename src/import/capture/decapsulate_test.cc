#include "import/capture/decapsulate.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace acceptq::imports::capture {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const Bytes& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

// A SYN from 10.0.0.1:40000 to 10.0.0.2:80.
const Bytes kSyn = {0x45, 0,    0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10,   0,    0, 1, 10, 0, 0, 2,
                    0x9c, 0x40, 0, 80, 1, 2, 3, 4, 0,  0, 0, 0, 0x50, 0x02, 0, 0, 0,  0, 0, 0};

// An IPv4 header around what follows.
Bytes v4(std::uint8_t protocol, const Bytes& inside) {
  const auto length = static_cast<std::uint16_t>(20 + inside.size());
  return joined({{0x45,
                  0,
                  static_cast<std::uint8_t>(length >> 8),
                  static_cast<std::uint8_t>(length),
                  0,
                  0,
                  0,
                  0,
                  64,
                  protocol,
                  0,
                  0,
                  192,
                  168,
                  0,
                  1,
                  192,
                  168,
                  0,
                  2},
                 inside});
}

Bytes v6(std::uint8_t protocol, const Bytes& inside) {
  Bytes header(40);
  header[0] = 0x60;
  header[4] = static_cast<std::uint8_t>(inside.size() >> 8);
  header[5] = static_cast<std::uint8_t>(inside.size());
  header[6] = protocol;
  return joined({header, inside});
}

Bytes udp(std::uint16_t port, const Bytes& inside) {
  return joined({{0x30, 0x39, static_cast<std::uint8_t>(port >> 8), static_cast<std::uint8_t>(port),
                  0, 0, 0, 0},
                 inside});
}

Bytes ethernet(std::uint16_t type, const Bytes& inside) {
  Bytes header(14);
  header[12] = static_cast<std::uint8_t>(type >> 8);
  header[13] = static_cast<std::uint8_t>(type);
  return joined({header, inside});
}

Bytes cooked_2(std::uint8_t packet_type) {
  return joined({{8, 0, 0, 0, 0, 0, 0, 2, 0, 1, packet_type, 6, 0, 0, 0, 0, 0, 0, 0, 0}, kSyn});
}

struct Case {
  const char* name;
  std::uint16_t link_type;
  Bytes bytes;
};

std::vector<Case> cases() {
  const Bytes frame = ethernet(0x0800, kSyn);
  const Bytes vxlan = joined({{0x08, 0, 0, 0, 0, 0, 7, 0}, frame});
  const Bytes geneve = joined({{0x01, 0, 0x65, 0x58, 0, 0, 7, 0, 1, 2, 3, 4}, frame});
  return {
      {"Ethernet", 1, frame},
      {"VLAN", 1, ethernet(0x8100, joined({{0, 10, 0x08, 0}, kSyn}))},
      {"QinQ", 1, ethernet(0x88a8, joined({{0, 10, 0x81, 0, 0, 20, 0x08, 0}, kSyn}))},
      {"MPLS", 1, ethernet(0x8847, joined({{0, 0, 0x10, 64, 0, 0, 0x21, 64}, kSyn}))},
      {"PPPoE", 1, ethernet(0x8864, joined({{0x11, 0, 0, 1, 0, 42, 0, 0x21}, kSyn}))},
      {"IP in IP", 1, ethernet(0x0800, v4(4, kSyn))},
      {"SIT's other way: IPv4 in IPv6", 1, ethernet(0x86dd, v6(4, kSyn))},
      {"GRE", 1, ethernet(0x0800, v4(47, joined({{0, 0, 8, 0}, kSyn})))},
      {"GRE with key and checksum", 1,
       ethernet(0x0800, v4(47, joined({{0xa0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 9}, kSyn})))},
      {"bridged GRE", 1, ethernet(0x0800, v4(47, joined({{0, 0, 0x65, 0x58}, frame})))},
      {"VXLAN", 1, ethernet(0x0800, v4(17, udp(4789, vxlan)))},
      {"flannel's VXLAN over IPv6", 1, ethernet(0x86dd, v6(17, udp(8472, vxlan)))},
      {"Geneve with an option", 1, ethernet(0x0800, v4(17, udp(6081, geneve)))},
      {"cooked", 113, joined({{0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0}, kSyn})},
      {"cooked 2", 276, cooked_2(0)},
      {"raw", 101, kSyn},
      {"raw IPv4", 228, kSyn},
      {"loopback of BSD", 0, joined({{2, 0, 0, 0}, kSyn})},
      {"loopback of OpenBSD", 108, joined({{0, 0, 0, 2}, kSyn})},
  };
}

TEST(Decapsulate, FindsTheInnermostPacket) {
  for (const Case& item : cases()) {
    const Decapsulated found = decapsulate(item.link_type, item.bytes);
    ASSERT_EQ(found.content, Content::kTcp) << item.name;
    EXPECT_EQ(found.packet.destination.to_string(), "10.0.0.2") << item.name;
    EXPECT_EQ(found.packet.destination_port, 80) << item.name;
    EXPECT_EQ(found.packet.sequence, 0x01020304U) << item.name;
    EXPECT_TRUE(found.packet.syn) << item.name;
  }
}

// Of the last 20 bytes, all are the TCP header's.
TEST(Decapsulate, NotesWhatIsCut) {
  for (const Case& item : cases()) {
    for (std::size_t size = 0; size < item.bytes.size(); ++size) {
      const Decapsulated found =
          decapsulate(item.link_type, std::span<const std::uint8_t>(item.bytes).first(size));
      EXPECT_EQ(found.content, Content::kCut) << item.name << ", " << size;
    }
  }
}

TEST(Decapsulate, TellsTheDirectionOfCookedFrames) {
  EXPECT_EQ(decapsulate(276, cooked_2(0)).packet.direction, evidence::Direction::kIn);
  EXPECT_EQ(decapsulate(276, cooked_2(4)).packet.direction, evidence::Direction::kOut);
  EXPECT_EQ(decapsulate(276, cooked_2(3)).packet.direction, evidence::Direction::kUnknown);
}

TEST(Decapsulate, StepsOverTheRest) {
  EXPECT_EQ(decapsulate(1, ethernet(0x0806, kSyn)).content, Content::kOther);
  EXPECT_EQ(decapsulate(1, ethernet(0x0800, v4(17, udp(53, kSyn)))).content, Content::kOther);
  EXPECT_EQ(decapsulate(127, kSyn).content, Content::kUnknownLink);
  Bytes fragment = kSyn;
  fragment[6] = 0x20;
  EXPECT_EQ(decapsulate(101, fragment).content, Content::kFragment);
  // Tunnels without an end.
  Bytes deep = kSyn;
  for (int i = 0; i < 20; ++i) deep = v4(4, deep);
  EXPECT_EQ(decapsulate(101, deep).content, Content::kOther);
}

}  // namespace
}  // namespace acceptq::imports::capture
