#include "collect/observation_parts.h"

#include <gtest/gtest.h>

namespace acceptq::collect {
namespace {

constexpr SocketCookie kCookie{0x2a};

facts::Listener listener_with(SocketCookie cookie) {
  facts::Listener listener;
  listener.netns = NetnsId(4026532567);
  listener.port = 8080;
  listener.inode = SocketInode(7);
  listener.cookie = cookie;
  listener.mptcp = true;
  return listener;
}

// The first scan is a fast one, and may not find the way into a namespace where it could ask for
// the cookie.
TEST(Complete, KnowsASocketAgainThatGotItsCookieMeanwhile) {
  facts::Snapshot before;
  before.listeners = {listener_with({})};
  facts::Snapshot whole;
  whole.listeners = {listener_with(kCookie)};
  complete(before, whole);
  ASSERT_EQ(before.listeners.size(), 1U);
  EXPECT_EQ(before.listeners[0].cookie, kCookie);
}

TEST(AgreeOnCookies, GivesOneSocketOneKey) {
  facts::Observation observation;
  observation.before.listeners = {listener_with({})};
  observation.after.listeners = {listener_with(kCookie)};
  facts::Listener sampled = listener_with({});
  sampled.accept_queue_len = QueueLength(3);
  add_sample(sampled, observation.samples);
  add_sample(listener_with(kCookie), observation.samples);
  agree_on_cookies(observation);
  EXPECT_EQ(observation.before.listeners.at(0).cookie, kCookie);
  ASSERT_EQ(observation.samples.size(), 1U);
  const auto& [key, samples] = *observation.samples.begin();
  EXPECT_EQ(key, facts::listener_key(listener_with(kCookie)));
  EXPECT_EQ(samples.count, 2U);
  EXPECT_EQ(samples.longest, QueueLength(3));
}

}  // namespace
}  // namespace acceptq::collect
