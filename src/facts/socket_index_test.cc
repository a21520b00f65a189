#include "facts/socket_index.h"

#include <gtest/gtest.h>

namespace acceptq::facts {
namespace {

Listener socket_of(std::uint64_t inode, std::uint64_t cookie) {
  Listener listener;
  listener.netns = NetnsId(4026532567);
  listener.port = 80;
  listener.inode = SocketInode(inode);
  listener.cookie = SocketCookie(cookie);
  return listener;
}

TEST(SocketIndex, FindsASocketThatGotItsCookieMeanwhile) {
  const std::vector<Listener> without = {socket_of(7, 0)};
  EXPECT_EQ(SocketIndex(without).find(socket_of(7, 0x2a)), &without[0]);
  const std::vector<Listener> with = {socket_of(7, 0x2a)};
  EXPECT_EQ(SocketIndex(with).find(socket_of(7, 0)), &with[0]);
  EXPECT_EQ(SocketIndex(with).find(socket_of(7, 0x2a)), &with[0]);
}

TEST(SocketIndex, TakesNoOtherSocketForIt) {
  const std::vector<Listener> listeners = {socket_of(7, 0x2a)};
  EXPECT_EQ(SocketIndex(listeners).find(socket_of(7, 0x2b)), nullptr);  // the inode was used again
  EXPECT_EQ(SocketIndex(listeners).find(socket_of(8, 0)), nullptr);
  Listener elsewhere = socket_of(7, 0);
  elsewhere.netns = NetnsId(4026532568);
  EXPECT_EQ(SocketIndex(listeners).find(elsewhere), nullptr);
  const std::vector<Listener> of_no_process = {socket_of(0, 0x2a)};
  EXPECT_EQ(SocketIndex(of_no_process).find(socket_of(0, 0)), nullptr);
}

}  // namespace
}  // namespace acceptq::facts
