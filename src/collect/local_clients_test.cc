#include "collect/local_clients.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace acceptq::collect {
namespace {

using facts::IpAddress;
using testing::IsEmpty;
using testing::SizeIs;

constexpr NetnsId kHost{1};
constexpr NetnsId kPod{7};
constexpr NetnsId kOther{8};
constexpr Pid kProxy{41};

IpAddress ip(const char* text) { return *IpAddress::parse(text); }

facts::Listener listener(NetnsId netns, const char* address, std::uint16_t port) {
  facts::Listener listener;
  listener.netns = netns;
  listener.address = ip(address);
  listener.port = port;
  return listener;
}

bpf::ClientSeen client(const char* peer, bool connecting, NetnsId netns = kHost) {
  return {.pid = kProxy,
          .comm = "haproxy",
          .netns = netns,
          .peer = ip(peer),
          .peer_port = 80,
          .connecting = connecting};
}

// All of them in trouble.
facts::Observation with(std::vector<facts::Listener> listeners) {
  facts::Observation observation;
  for (const facts::Listener& each : listeners) {
    observation.accept_evidence.acceptors[facts::listener_key(each)];
  }
  observation.after.listeners = std::move(listeners);
  return observation;
}

const AddressesByNamespace kAddresses = {{kHost, {ip("127.0.0.1"), ip("10.0.0.1")}},
                                         {kPod, {ip("127.0.0.1"), ip("10.0.0.5")}},
                                         {kOther, {ip("127.0.0.1"), ip("10.0.0.6")}}};

TEST(LocalClients, GoToTheNamespaceThatHasTheAddress) {
  const facts::Observation observation =
      with({listener(kPod, "0.0.0.0", 80), listener(kOther, "0.0.0.0", 80)});
  const auto found = clients_by_listener(
      observation, {client("10.0.0.5", true), client("10.0.0.5", true), client("10.0.0.5", false)},
      kAddresses);
  ASSERT_THAT(found, SizeIs(1));
  const auto& [key, clients] = *found.begin();
  EXPECT_EQ(key, facts::listener_key(observation.after.listeners[0]));
  ASSERT_THAT(clients, SizeIs(1));
  EXPECT_EQ(clients[0], (facts::LocalClient{.pid = kProxy,
                                            .comm = "haproxy",
                                            .address = ip("10.0.0.5"),
                                            .connecting = 2,
                                            .connected = 1}));
}

TEST(LocalClients, OfAUnixSocketAreThoseInItsQueue) {
  facts::Listener fpm;
  fpm.protocol = facts::Protocol::kUnix;
  fpm.path = "/run/php/fpm.sock";
  fpm.inode = SocketInode(48213);
  const facts::Observation observation = with({fpm, listener(kHost, "0.0.0.0", 80)});
  bpf::ClientSeen proxy{.pid = kProxy, .comm = "nginx", .connecting = true};
  proxy.unix_listener = fpm.inode;
  bpf::ClientSeen of_another = proxy;
  of_another.unix_listener = SocketInode(5);
  const auto found = clients_by_listener(observation, {proxy, proxy, of_another}, kAddresses);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found.begin()->first, facts::listener_key(fpm));
  EXPECT_EQ(found.begin()->second.at(0).connecting, 2U);
}

TEST(LocalClients, LoopbackStaysInItsNamespace) {
  const facts::Observation observation =
      with({listener(kHost, "127.0.0.1", 80), listener(kPod, "127.0.0.1", 80)});
  const auto found =
      clients_by_listener(observation, {client("127.0.0.1", true, kPod)}, kAddresses);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found.begin()->first, facts::listener_key(observation.after.listeners[1]));
}

TEST(LocalClients, AnAddressOfTwoNamespacesTellsNothing) {
  AddressesByNamespace addresses = kAddresses;
  addresses[kOther].insert(ip("10.0.0.5"));
  const facts::Observation observation =
      with({listener(kPod, "0.0.0.0", 80), listener(kOther, "0.0.0.0", 80)});
  EXPECT_THAT(clients_by_listener(observation, {client("10.0.0.5", true)}, addresses), IsEmpty());
}

TEST(LocalClients, TheListenerOfTheAddressItselfAnswers) {
  const facts::Observation observation =
      with({listener(kPod, "0.0.0.0", 80), listener(kPod, "10.0.0.5", 80)});
  const auto found = clients_by_listener(observation, {client("10.0.0.5", true)}, kAddresses);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found.begin()->first, facts::listener_key(observation.after.listeners[1]));
}

TEST(LocalClients, AQuietListenerHasNone) {
  facts::Observation observation = with({listener(kPod, "0.0.0.0", 80)});
  observation.accept_evidence.acceptors.clear();
  EXPECT_THAT(clients_by_listener(observation, {client("10.0.0.5", true)}, kAddresses), IsEmpty());
}

}  // namespace
}  // namespace acceptq::collect
