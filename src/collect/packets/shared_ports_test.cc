#include "collect/packets/shared_ports.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace acceptq::collect::packets {
namespace {

constexpr NetnsId kHere(4026532177);

facts::Listener listener(std::uint16_t port, std::uint64_t inode, NetnsId netns = kHere) {
  facts::Listener listener;
  listener.protocol = facts::Protocol::kTcp;
  listener.netns = netns;
  listener.port = port;
  listener.inode = SocketInode(inode);
  return listener;
}

TEST(SharedPorts, AreSaidWhereTheyWereLookedAt) {
  const std::vector<std::uint16_t> ports = {80, 81, 82};
  facts::Snapshot snapshot;
  snapshot.listeners = {listener(80, 1), listener(81, 2), listener(81, 3, NetnsId(7)),
                        listener(90, 4), listener(90, 5)};
  EXPECT_FALSE(shared_ports_unseen(snapshot, kHere, ports)) << "no two of them share one";

  snapshot.listeners.push_back(listener(81, 6));
  auto spot = shared_ports_unseen(snapshot, kHere, ports);
  ASSERT_TRUE(spot);
  EXPECT_EQ(spot->id, "AQ611");
  EXPECT_EQ(spot->scope, "netns:4026532177");
  EXPECT_EQ(
      spot->reason,
      "SO_REUSEPORT: packets do not tell which of the 2 listeners of 0.0.0.0:81 they went to");
  EXPECT_FALSE(spot->unobserved);

  snapshot.listeners.push_back(listener(82, 7));
  snapshot.listeners.push_back(listener(82, 8));
  spot = shared_ports_unseen(snapshot, kHere, ports);
  ASSERT_TRUE(spot);
  EXPECT_TRUE(spot->reason.ends_with(" they went to (the same for 1 more)")) << spot->reason;

  // The one that is left of a group is told by its port.
  snapshot.listeners[1].closed = true;
  snapshot.listeners.resize(6);
  EXPECT_FALSE(shared_ports_unseen(snapshot, kHere, ports));
}

}  // namespace
}  // namespace acceptq::collect::packets
