#include "collect/bpf/client_records.h"

#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "collect/bpf/clients_wire.h"

namespace acceptq::collect::bpf {
namespace {

aq_client_record record(std::uint16_t family, const facts::IpAddress& peer, std::uint64_t inode) {
  aq_client_record record{};
  record.inode = inode;
  record.tgid = 41;
  record.netns = 7;
  record.state = TCP_SYN_SENT;
  record.addresses.family = family;
  record.addresses.peer_port = 80;
  std::ranges::copy(peer.bytes(), std::begin(record.addresses.peer));
  std::ranges::copy(std::string_view("haproxy"), std::begin(record.comm));
  return record;
}

template <std::size_t N>
Result<std::vector<ClientSeen>> parse(const std::array<aq_client_record, N>& records) {
  return parse_client_records(std::as_bytes(std::span(records)));
}

TEST(ClientRecords, SayWhoIsConnectedToWhom) {
  const auto v4 = facts::IpAddress::parse("10.0.0.5");
  const auto mapped = facts::IpAddress::parse("::ffff:10.0.0.5");
  std::array records{record(AF_INET, *v4, 1), record(AF_INET6, *mapped, 2)};
  records[1].state = TCP_ESTABLISHED;
  const auto clients = parse(records);
  ASSERT_TRUE(clients.has_value());
  ASSERT_EQ(clients->size(), 2U);
  EXPECT_EQ((*clients)[0].pid, Pid(41));
  EXPECT_EQ((*clients)[0].comm, "haproxy");
  EXPECT_EQ((*clients)[0].netns, NetnsId(7));
  EXPECT_EQ((*clients)[0].peer, *v4);
  EXPECT_EQ((*clients)[0].peer_port, 80);
  EXPECT_TRUE((*clients)[0].connecting);
  EXPECT_EQ((*clients)[1].peer, *v4);
  EXPECT_FALSE((*clients)[1].connecting);
}

TEST(ClientRecords, ASocketOfTwoDescriptorsIsOne) {
  const auto peer = facts::IpAddress::parse("10.0.0.5");
  const auto clients = parse(std::array{record(AF_INET, *peer, 1), record(AF_INET, *peer, 1)});
  ASSERT_TRUE(clients.has_value());
  EXPECT_EQ(clients->size(), 1U);
}

TEST(ClientRecords, SayWhichUnixListenerIsWaitedFor) {
  std::array records{record(AF_UNIX, {}, 1), record(AF_UNIX, {}, 2), record(AF_UNIX, {}, 3)};
  records[0].queue = records[1].queue = 77;
  records[1].state = TCP_LISTEN;
  records[2].queue = 78;  // its listener is of no process
  const auto clients = parse(records);
  ASSERT_TRUE(clients.has_value());
  ASSERT_EQ(clients->size(), 1U);
  EXPECT_EQ((*clients)[0].unix_listener, SocketInode(2));
}

TEST(ClientRecords, RefusesWhatTheProgramDoesNotWrite) {
  const std::array records{record(AF_PACKET, {}, 1)};
  EXPECT_EQ(parse(records).error().code, ErrorCode::kMalformed);
  const auto bytes = std::as_bytes(std::span(records));
  EXPECT_EQ(parse_client_records(bytes.first(bytes.size() - 1)).error().code,
            ErrorCode::kTruncated);
}

}  // namespace
}  // namespace acceptq::collect::bpf
