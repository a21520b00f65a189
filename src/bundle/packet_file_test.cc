#include "bundle/packet_file.h"

#include <gtest/gtest.h>

#include <string>

#include "bundle/redact.h"

namespace acceptq::bundle {
namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text += static_cast<char>(value);
  return text;
}

// A SYN from 192.0.2.7:40000 to 192.0.2.9:80 with segment size, an option of MPTCP and timestamps.
std::string syn() {
  return bytes({0x45, 0, 0, 64, 1, 2, 0x40, 0, 64, 6, 0xaa, 0xbb, 192, 0, 2, 7, 192, 0, 2, 9}) +
         bytes({0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0xb0, 2, 1, 2, 0xcc, 0xdd, 0, 0}) +
         bytes({2, 4, 5, 180, 30, 8, 0, 0, 192, 0, 2, 9, 8, 10, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0});
}

facts::PacketHeaders packet() {
  return {.at_ns = 1'700'000'000'000'000'007,
          .netns = NetnsId(4026531840),
          .interface = 2,
          .hardware_type = 1,
          .packet_type = 4,
          .bytes = syn(),
          .length = 64};
}

TEST(PacketFile, IsNamedByItsNamespace) {
  EXPECT_EQ(packet_file_name(NetnsId(4026531840)), "packets-4026531840.pcap");
  EXPECT_EQ(netns_of_packet_file("packets-4026531840.pcap"), NetnsId(4026531840));
  for (const char* other :
       {"observation.json", "packets-.pcap", "packets-1.pcap.gz", "packets-x.pcap", "1.pcap"}) {
    EXPECT_EQ(netns_of_packet_file(other), std::nullopt) << other;
  }
}

TEST(PacketFile, HoldsNothingButTheHeaders) {
  const facts::PacketHeaders one = packet();
  const std::string file = to_pcap({&one, 1});
  EXPECT_EQ(file.size(), 24 + 16 + 20 + syn().size());
  EXPECT_TRUE(file.ends_with(syn()));
  // Cooked v2: IPv4, interface 2, Ethernet, outgoing, and no address of the link.
  EXPECT_EQ(file.substr(40, 20),
            bytes({8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
}

TEST(PacketFile, HasTheAddressesOfTheRestOfTheBundle) {
  facts::Observation observation;
  facts::Listener& listener = observation.after.listeners.emplace_back();
  listener.address = *facts::IpAddress::parse("192.0.2.9");
  listener.port = 80;
  facts::PacketHeaders one = packet();
  observation = redacted(std::move(observation), {&one, 1});
  EXPECT_EQ(observation.after.listeners[0].address.to_string(), "10.0.1.0");
  EXPECT_EQ(one.bytes.substr(16, 4), bytes({10, 0, 1, 0}));
  EXPECT_EQ(one.bytes.substr(12, 4), bytes({10, 0, 1, 1})) << "of the same network";
  EXPECT_EQ(one.bytes.find(bytes({192, 0, 2})), std::string::npos) << "not in an option either";
  EXPECT_EQ(one.bytes.substr(10, 2), bytes({0, 0})) << "a checksum tells addresses";
  EXPECT_EQ(one.bytes.substr(36, 2), bytes({0, 0}));
  // The rest is as it was: ports, numbers, flags, segment size, timestamps.
  EXPECT_EQ(one.bytes.substr(20, 16), syn().substr(20, 16));
  EXPECT_EQ(one.bytes.substr(40, 4), syn().substr(40, 4));
  EXPECT_EQ(one.bytes.substr(52), syn().substr(52));
}

TEST(PacketFile, RedactsIPv6AndWhatIsCut) {
  facts::PacketHeaders v6 = packet();
  const std::string server = bytes({0x2a, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9});
  v6.bytes = bytes({0x60, 0, 0, 0, 0, 44, 6, 64}) + server + server + syn().substr(20, 35);
  facts::PacketHeaders cut = v6;
  cut.bytes.resize(50);
  for (std::size_t size = 0; size <= v6.bytes.size(); ++size) {
    facts::PacketHeaders part = v6;
    part.bytes.resize(size);
    static_cast<void>(redacted({}, {&part, 1}));
    EXPECT_EQ(part.bytes.find(server.substr(0, 4)), std::string::npos) << size;
  }
  static_cast<void>(redacted({}, {&cut, 1}));
  EXPECT_EQ(cut.bytes, "") << "no TCP header";
}

}  // namespace
}  // namespace acceptq::bundle
