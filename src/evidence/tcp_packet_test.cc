#include "evidence/tcp_packet.h"

#include <gtest/gtest.h>

#include <vector>

namespace acceptq::evidence {
namespace {

using Bytes = std::vector<std::uint8_t>;

// A SYN from 10.0.0.1:40000 to 10.0.0.2:80 with the sequence number 0x01020304.
Bytes syn_v4() {
  return {0x45, 0,    0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10,   0,    0, 1, 10, 0, 0, 2,
          0x9c, 0x40, 0, 80, 1, 2, 3, 4, 0,  0, 0, 0, 0x50, 0x02, 0, 0, 0,  0, 0, 0};
}

// A bare ACK from [fd00::1]:40000 to [fd00::2]:443.
Bytes ack_v6() {
  Bytes bytes = {0x60, 0, 0, 0, 0, 20, 6, 64};
  for (const std::uint8_t last : {1, 2}) {
    Bytes address(16);
    address[0] = 0xfd;
    address[15] = last;
    bytes.insert(bytes.end(), address.begin(), address.end());
  }
  const Bytes tcp = {0x9c, 0x40, 1, 0xbb, 0, 0, 0, 2, 0, 0, 0, 9, 0x50, 0x10, 0, 0, 0, 0, 0, 0};
  bytes.insert(bytes.end(), tcp.begin(), tcp.end());
  return bytes;
}

TEST(ParsePacket, ReadsBothFamilies) {
  const auto syn = parse_packet(syn_v4());
  ASSERT_TRUE(syn.has_value());
  EXPECT_EQ(syn->source.to_string(), "10.0.0.1");
  EXPECT_EQ(syn->destination.to_string(), "10.0.0.2");
  EXPECT_EQ(syn->source_port, 40000);
  EXPECT_EQ(syn->destination_port, 80);
  EXPECT_EQ(syn->sequence, 0x01020304U);
  EXPECT_TRUE(syn->syn);
  EXPECT_FALSE(syn->ack || syn->rst || syn->has_data);
  const auto ack = parse_packet(ack_v6());
  ASSERT_TRUE(ack.has_value());
  EXPECT_EQ(ack->destination.to_string(), "fd00::2");
  EXPECT_EQ(ack->destination_port, 443);
  EXPECT_EQ(ack->acknowledged, 9U);
  EXPECT_TRUE(ack->ack);
  EXPECT_FALSE(ack->syn || ack->has_data);
}

TEST(ParsePacket, TellsData) {
  Bytes bytes = syn_v4();
  bytes[3] = 45;  // five bytes more, which were not copied
  EXPECT_TRUE(parse_packet(bytes)->has_data);
}

// A SYN with these options, padded to words.
Bytes syn_with(Bytes options) {
  while (options.size() % 4 != 0) options.push_back(0);
  Bytes bytes = syn_v4();
  bytes[3] = static_cast<std::uint8_t>(40 + options.size());
  bytes[32] = static_cast<std::uint8_t>((5 + options.size() / 4) << 4U);
  bytes.insert(bytes.end(), options.begin(), options.end());
  return bytes;
}

TEST(ParsePacket, ReadsOptionsOfSyns) {
  const Bytes linux_options = {2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7};
  const TcpOptions all{.known = true,
                       .sack = true,
                       .has_timestamp = true,
                       .window_scale = 7,
                       .timestamp = 0x01020304};
  Bytes syn = syn_with(linux_options);
  EXPECT_EQ(parse_packet(syn)->options, all);
  syn[33] |= 0x50;  // a SYN-ACK that takes ECN
  EXPECT_TRUE(parse_packet(syn)->options.ecn);
  syn[33] = 0x10;
  EXPECT_FALSE(parse_packet(syn)->options.known) << "no SYN";
  EXPECT_EQ(parse_packet(syn_v4())->options, TcpOptions{.known = true});
  Bytes ack = syn_with({1, 1, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0});
  ack[33] = 0x10;
  EXPECT_EQ(parse_packet(ack)->options,
            (TcpOptions{.has_timestamp = true, .timestamp = 0x01020304}));
  EXPECT_FALSE(parse_packet(std::span(ack).first(51))->options.has_timestamp) << "cut";
}

TEST(ParsePacket, DoesNotKnowOptionsThatWereCut) {
  const Bytes whole = syn_with({2, 4, 5, 0xb4, 4, 2, 1, 1});
  for (std::size_t size = 40; size < whole.size(); ++size) {
    EXPECT_FALSE(parse_packet(std::span(whole).first(size))->options.known) << size;
  }
}

TEST(ParsePacket, StopsAtOptionsThatLie) {
  const TcpOptions none{.known = true};
  for (const Bytes& hostile :
       {Bytes{3, 0, 3, 3, 7}, Bytes{3, 1, 3, 3, 7}, Bytes{8, 10, 1, 2}, Bytes{8, 255, 1, 2},
        Bytes{0, 3, 3, 7}, Bytes{1, 1, 1, 3}, Bytes{4, 3, 9}, Bytes{3, 4, 7, 0}}) {
    EXPECT_EQ(parse_packet(syn_with(hostile))->options, none);
  }
  EXPECT_EQ(parse_packet(syn_with({3, 3, 200}))->options.window_scale, 14);
}

TEST(ParsePacket, RefusesEveryTruncation) {
  for (const Bytes& whole : {syn_v4(), ack_v6()}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      EXPECT_EQ(parse_packet(std::span(whole).first(size)), std::nullopt) << size;
    }
  }
}

TEST(ParsePacket, RefusesWhatIsNoWholeTcpPacket) {
  const auto changed = [](std::size_t at, std::uint8_t value) {
    Bytes bytes = syn_v4();
    bytes[at] = value;
    return parse_packet(bytes);
  };
  EXPECT_EQ(changed(0, 0x55), std::nullopt);   // version
  EXPECT_EQ(changed(0, 0x44), std::nullopt);   // header shorter than one can be
  EXPECT_EQ(changed(0, 0x4f), std::nullopt);   // longer than the packet
  EXPECT_EQ(changed(9, 17), std::nullopt);     // UDP
  EXPECT_EQ(changed(6, 0x20), std::nullopt);   // more fragments follow
  EXPECT_EQ(changed(7, 1), std::nullopt);      // not the first fragment
  EXPECT_EQ(changed(3, 30), std::nullopt);     // total length
  EXPECT_EQ(changed(32, 0x40), std::nullopt);  // TCP header shorter than one can be
  EXPECT_EQ(changed(32, 0xf0), std::nullopt);  // longer than the segment
}

// Extension headers come before the TCP header: hop-by-hop options, and a fragment header that
// says that the packet is whole (RFC 6946).
TEST(ParsePacket, StepsOverExtensionHeaders) {
  Bytes bytes = ack_v6();
  bytes[5] = 20 + 16;
  bytes[6] = 0;
  const Bytes headers = {44, 0, 1, 4, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 9};
  bytes.insert(bytes.begin() + 40, headers.begin(), headers.end());
  const auto packet = parse_packet(bytes);
  ASSERT_TRUE(packet.has_value());
  EXPECT_EQ(packet->destination_port, 443);
  EXPECT_EQ(packet->ttl, 64);
  EXPECT_FALSE(packet->has_data);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(parse_packet(std::span(bytes).first(size)), std::nullopt) << size;
  }
  bytes[40 + 8 + 3] = 1;  // more fragments follow
  EXPECT_EQ(parse_packet(bytes), std::nullopt);
}

// A segment that the kernel has put together from several can be too long for the length's field.
TEST(ParsePacket, TakesALengthOfZeroForTheRest) {
  Bytes bytes = syn_v4();
  bytes[3] = 0;
  ASSERT_TRUE(parse_packet(bytes).has_value());
  EXPECT_FALSE(parse_packet(bytes)->has_data);
  bytes.push_back(1);
  EXPECT_TRUE(parse_packet(bytes)->has_data);
}

TEST(HeaderLengths, LeaveTheDataOut) {
  // 24 bytes of TCP header and 6 of data.
  std::vector<std::uint8_t> packet{0x45, 0, 0,  50, 0, 0, 0,  0, 64, 6,
                                   0,    0, 10, 0,  0, 1, 10, 0, 0,  2};
  packet.resize(50);
  packet[32] = 0x60;
  const auto whole = header_lengths(packet);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->kept, 44U);
  EXPECT_EQ(whole->packet, 50U);
  EXPECT_EQ(header_lengths(std::span(packet).first(42))->kept, 42U) << "cut by the filter";
  EXPECT_FALSE(header_lengths(std::span(packet).first(30)));
  packet[32] = 0xf0;
  EXPECT_FALSE(header_lengths(packet)) << "longer than the packet";
}

}  // namespace
}  // namespace acceptq::evidence
