#include "apply/socket_identity.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace acceptq::apply {
namespace {

constexpr int kMptcp = 262;

SocketMeant meant() {
  return {.cookie = SocketCookie{0xbae1},
          .inode = SocketInode{48213},
          .address = *facts::IpAddress::parse("10.0.0.3"),
          .port = 80,
          .netns_cookie = 7};
}

SocketSeen seen() {
  return {.domain = AF_INET,
          .type = SOCK_STREAM,
          .protocol = IPPROTO_TCP,
          .listening = true,
          .cookie = SocketCookie{0xbae1},
          .inode = SocketInode{48213},
          .address = *facts::IpAddress::parse("10.0.0.3"),
          .port = 80,
          .netns_cookie = 7};
}

TEST(SocketIdentity, TheSame) { EXPECT_EQ(difference(meant(), seen()), Difference::kNone); }

TEST(SocketIdentity, EachDifferenceTells) {
  SocketSeen other = seen();
  other.domain = AF_UNIX;
  EXPECT_EQ(difference(meant(), other), Difference::kNotTcp);
  other = seen();
  other.type = SOCK_DGRAM;
  EXPECT_EQ(difference(meant(), other), Difference::kNotTcp);
  other = seen();
  other.protocol = IPPROTO_SCTP;
  EXPECT_EQ(difference(meant(), other), Difference::kNotTcp);
  other = seen();
  other.listening = false;
  EXPECT_EQ(difference(meant(), other), Difference::kNotListening);
  other = seen();
  other.cookie = SocketCookie{0xbae2};
  EXPECT_EQ(difference(meant(), other), Difference::kSocket);
  other = seen();
  other.inode = SocketInode{48214};
  EXPECT_EQ(difference(meant(), other), Difference::kSocket);
  other = seen();
  other.port = 81;
  EXPECT_EQ(difference(meant(), other), Difference::kAddress);
  other = seen();
  other.address = {};
  EXPECT_EQ(difference(meant(), other), Difference::kAddress);
  other = seen();
  other.netns_cookie = 8;
  EXPECT_EQ(difference(meant(), other), Difference::kNamespace);
}

TEST(SocketIdentity, TheCookieOfAnMptcpSocketIsNotTheSubflows) {
  SocketMeant multipath = meant();
  multipath.mptcp = true;
  SocketSeen other = seen();
  other.protocol = kMptcp;
  other.cookie = SocketCookie{0xffff};
  EXPECT_EQ(difference(multipath, other), Difference::kNone);
  other.inode = SocketInode{1};
  EXPECT_EQ(difference(multipath, other), Difference::kSocket);
  EXPECT_EQ(difference(multipath, seen()), Difference::kNotTcp);
}

TEST(SocketIdentity, WhatIsNotKnownDoesNotDiffer) {
  SocketMeant unknown = meant();
  unknown.cookie = SocketCookie{0};
  unknown.netns_cookie.reset();
  EXPECT_EQ(difference(unknown, seen()), Difference::kNone);
  SocketSeen older = seen();
  older.netns_cookie.reset();
  EXPECT_EQ(difference(meant(), older), Difference::kNone);
}

TEST(SocketIdentity, AMappedAddressIsTheIpv4One) {
  SocketMeant mapped = meant();
  mapped.address = *facts::IpAddress::parse("::ffff:10.0.0.3");
  SocketSeen v6 = seen();
  v6.domain = AF_INET6;
  v6.address = mapped.address;
  EXPECT_EQ(difference(mapped, v6), Difference::kNone);
  mapped.address = *facts::IpAddress::parse("::");
  EXPECT_EQ(difference(mapped, v6), Difference::kAddress);
}

}  // namespace
}  // namespace acceptq::apply
