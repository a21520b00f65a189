#include "facts/listener.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

namespace acceptq::facts {
namespace {

Listener tcp(const char* address, std::uint16_t port) {
  Listener listener;
  listener.netns = NetnsId(4026532567);
  listener.address = *IpAddress::parse(address);
  listener.port = port;
  listener.cookie = SocketCookie(0xbae1);
  listener.inode = SocketInode(48213);
  return listener;
}

TEST(ListenerKey, NamesNamespaceAddressPortAndSocket) {
  EXPECT_EQ(listener_key(tcp("0.0.0.0", 80)), "tcp:4026532567:0.0.0.0:80#bae1");
  EXPECT_EQ(listener_key(tcp("::1", 443)), "tcp:4026532567:[::1]:443#bae1");
  Listener unix_listener;
  unix_listener.protocol = Protocol::kUnix;
  unix_listener.netns = NetnsId(1);
  unix_listener.path = "/run/php-fpm.sock";
  unix_listener.inode = SocketInode(7);
  EXPECT_EQ(listener_key(unix_listener), "unix:1:/run/php-fpm.sock#i7");
}

TEST(ListenerKey, IsComparedWithoutBeingMade) {
  std::vector<Listener> all = {Listener{}};
  const auto vary = [&](const auto& change) {
    std::vector<Listener> changed = all;
    std::ranges::for_each(changed, change);
    all.insert(all.end(), changed.begin(), changed.end());
  };
  vary([](Listener& each) { each.protocol = Protocol::kUnix; });
  vary([](Listener& each) { each.netns = NetnsId(7); });
  vary([](Listener& each) { each.address = *IpAddress::parse("::"); });
  vary([](Listener& each) { each.port = 80; });
  vary([](Listener& each) { each.path = "/run/a"; });
  vary([](Listener& each) { each.cookie = SocketCookie(7); });
  vary([](Listener& each) { each.inode = SocketInode(7); });
  vary([](Listener& each) { each.pasted_at = "a:1"; });
  vary([](Listener& each) { each.pasted_at += "b:2"; });
  std::vector<std::string> keys;
  std::ranges::transform(all, std::back_inserter(keys), listener_key);
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = i; j < all.size(); ++j) {
      ASSERT_EQ(has_same_key(all[i], all[j]), keys[i] == keys[j]) << keys[i] << ' ' << keys[j];
    }
  }
}

TEST(ListenerEndpoint, ShowsTheDevice) {
  Listener listener = tcp("10.0.0.3", 80);
  listener.device = "eth0";
  EXPECT_EQ(listener_endpoint(listener), "10.0.0.3%eth0:80");
  EXPECT_NE(reuseport_key(listener), reuseport_key(tcp("10.0.0.3", 80)));
}

TEST(SampledFull, TakesTheSwingBetweenLimitAndCapacityForFull) {
  EXPECT_TRUE(sampled_full(QueueLength(129), QueueLimit(128)));
  EXPECT_TRUE(sampled_full(QueueLength(128), QueueLimit(128)));
  EXPECT_FALSE(sampled_full(QueueLength(127), QueueLimit(128)));
  EXPECT_FALSE(sampled_full(QueueLength(0), QueueLimit(0)));
  EXPECT_TRUE(sampled_full(QueueLength(1), QueueLimit(0)));
  EXPECT_EQ(accept_queue_capacity(QueueLimit(4294967295U)), 4294967296U);
}

}  // namespace
}  // namespace acceptq::facts
