#include "select/selection.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace acceptq::select {
namespace {

constexpr NetnsId kHost{1};
constexpr NetnsId kPod{7};

facts::Listener listener_in(NetnsId netns, std::uint16_t port) {
  facts::Listener listener;
  listener.netns = netns;
  listener.port = port;
  listener.cookie = SocketCookie(port);
  return listener;
}

// :22 on the host and :80 in a pod, both times.
facts::Observation observe_nothing_new() {
  facts::Observation observation;
  observation.after.namespaces.resize(2);
  observation.after.namespaces[0].id = kHost;
  observation.after.namespaces[1].id = kPod;
  observation.after.listeners = {listener_in(kHost, 22), listener_in(kPod, 80)};
  observation.before = observation.after;
  return observation;
}

TEST(KeepTheEnded, KeepsSelectedListenersThatAreGone) {
  facts::Observation observation = observe_nothing_new();
  facts::Listener ended = listener_in(kPod, 8080);
  ended.owners = {{.pid = Pid(77), .fd = 3}};
  ended.accept_queue_len = QueueLength(5);
  observation.before.listeners.push_back(ended);
  observation.before.listeners.push_back(listener_in(kPod, 8081));
  observation.before.processes = {{.pid = Pid(77), .comm = "web"}};
  keep_the_ended({*parse_selector("comm:web")}, observation);
  ASSERT_EQ(observation.after.listeners.size(), 3U);
  const auto ended_there =
      std::ranges::find(observation.after.listeners, 8080, &facts::Listener::port);
  ASSERT_NE(ended_there, observation.after.listeners.end());
  EXPECT_TRUE(ended_there->closed);
  EXPECT_EQ(ended_there->accept_queue_len, QueueLength(0));
  EXPECT_NE(facts::find_process(observation.after, Pid(77)), nullptr);
}

TEST(KeepTheEnded, DoesNotTakeTheUnseenForEnded) {
  facts::Observation observation = observe_nothing_new();
  observation.before.listeners.push_back(listener_in(kPod, 8080));
  observation.after.blind_spots = {{.id = "AQ602", .scope = "netns:7", .unobserved = true}};
  keep_the_ended({*parse_selector(":8080")}, observation);
  EXPECT_EQ(observation.after.listeners.size(), 2U);
  keep_the_ended({}, observation);
  EXPECT_EQ(observation.after.listeners.size(), 2U);
}

facts::Translation to_the_pod(std::uint16_t to_port) {
  return {.netns = kHost,
          .address = *facts::IpAddress::parse("192.0.2.1"),
          .port = 30080,
          .to_address = *facts::IpAddress::parse("10.0.0.7"),
          .to_port = to_port,
          .to_netns = kPod,
          .connections = 3};
}

// Clients know a port that is no listener's.
TEST(Select, FollowsConnectionTracking) {
  facts::Snapshot snapshot = observe_nothing_new().after;
  snapshot.translations = {to_the_pod(80)};
  const Result<Selection> found = select({*parse_selector(":30080")}, snapshot, {});
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->keys, std::set{facts::listener_key(snapshot.listeners[1])});
  EXPECT_EQ(found->namespaces, std::set{kPod});
  ASSERT_EQ(found->warnings.size(), 1U);
  EXPECT_EQ(found->warnings[0],
            "nothing listens on \":30080\" itself: connection tracking sends clients of "
            "192.0.2.1:30080 to 10.0.0.7:80 (3 connections)");
  EXPECT_TRUE(select({*parse_selector("192.0.2.1:30080")}, snapshot, {}).has_value());
  EXPECT_FALSE(select({*parse_selector("192.0.2.2:30080")}, snapshot, {}).has_value());
}

TEST(Select, SaysWhereConnectionTrackingLeadsToNoListener) {
  facts::Snapshot snapshot = observe_nothing_new().after;
  snapshot.translations = {to_the_pod(81)};
  Result<Selection> found = select({*parse_selector(":30080")}, snapshot, {});
  ASSERT_FALSE(found.has_value());
  EXPECT_TRUE(found.error().context.ends_with(
      "sends clients of 192.0.2.1:30080 to 10.0.0.7:81, where nothing listens (3 connections)"));
  snapshot.translations[0].to_netns.reset();
  found = select({*parse_selector(":30080")}, snapshot, {});
  ASSERT_FALSE(found.has_value());
  EXPECT_TRUE(found.error().context.ends_with(
      "10.0.0.7:81, which is no address of this host's that was seen (3 connections)"));
}

TEST(Select, WarnsOfANamespaceInWhichNothingListens) {
  facts::Observation observation = observe_nothing_new();
  facts::Snapshot& snapshot = observation.after;
  const std::vector<Selector> pod = {*parse_selector("netns:7")};
  ASSERT_EQ(snapshot.namespaces[1].id, NetnsId(7));
  EXPECT_TRUE(select(pod, snapshot, {})->warnings.empty());
  snapshot.listeners.pop_back();
  const auto empty = select(pod, snapshot, {});
  ASSERT_TRUE(empty.has_value());
  ASSERT_EQ(empty->warnings.size(), 1U);
  EXPECT_EQ(empty->warnings[0], "nothing listens in the network namespace of \"netns:7\"");
  // What could not be looked into may have some.
  snapshot.blind_spots = {{.id = "AQ602", .scope = "netns:7", .unobserved = true}};
  EXPECT_TRUE(select(pod, snapshot, {})->warnings.empty());
}

}  // namespace
}  // namespace acceptq::select
