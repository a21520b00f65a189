// The less common ways through the listen path: each packet is one that the test has sent, and
// nothing may remain.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#include <memory>

#include "ledger_fixture.h"
#include "listenpath/kernel.h"
#include "listenpath/limits.h"

namespace acceptq::test {
namespace {

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

class LedgerCases : public LedgerFixture {
 protected:
  void set_option(const UniqueFd& fd, int option, int value) const {
    ASSERT_EQ(::setsockopt(fd.get(), IPPROTO_TCP, option, &value, sizeof value), 0);
  }
  static SocketCookie cookie_of(const UniqueFd& fd) {
    std::uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    EXPECT_EQ(::getsockopt(fd.get(), SOL_SOCKET, SO_COOKIE, &cookie, &size), 0);
    return SocketCookie(cookie);
  }
  // Bound to kPort on any address; not listening yet.
  UniqueFd bind_socket(int protocol, bool reuseport) const {
    UniqueFd fd;
    ns_.run([&] {
      const bool v4 = version_ == IpVersion::kV4;
      fd = UniqueFd(::socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, protocol));
      if (!fd.valid()) return;
      const int on = reuseport ? 1 : 0;
      ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
      sockaddr_in6 any{};
      any.sin6_family = AF_INET6;
      any.sin6_port = htons(kPort);
      sockaddr_in any_v4{};
      any_v4.sin_family = AF_INET;
      any_v4.sin_port = htons(kPort);
      const int bound = v4 ? ::bind(fd.get(), reinterpret_cast<sockaddr*>(&any_v4), sizeof any_v4)
                           : ::bind(fd.get(), reinterpret_cast<sockaddr*>(&any), sizeof any);
      EXPECT_EQ(bound, 0);
    });
    return fd;
  }
  static void shake_hands(TunClients& clients, TunClient& client) {
    clients.receive(std::chrono::milliseconds(20));
    if (client.synacks > 0) clients.send_ack(client);
  }
};

// The SYN brings data, and its connection is in the accept queue at once.
TEST_P(LedgerCases, FastOpen) {
  ns_.set("net/ipv4/tcp_fastopen", "514");  // 0x202: for servers, and without a cookie
  const UniqueFd listener = listen();
  set_option(listener, TCP_FASTOPEN, 5);
  TunClients clients(ns_, kPort, version_);
  TunClient& fast = clients.connect(true);
  clients.receive_answers({&fast});
  EXPECT_EQ(fast.synacks, 1);
  EXPECT_EQ(accept_all(listener), 1) << "before its handshake is complete";
  expect_terms({{kSynReceived, 1},
                {kSynFastopen, 1},
                {kSynackSent, 1},
                {kAckQueued, 1},
                {kAccepted, 1},
                {kAcceptAgain, 1},
                {kListenCalls, 1}});
}

// The bare final ACK is passed over; the connection enters the queue with its first data.
TEST_P(LedgerCases, DeferredAccept) {
  const UniqueFd listener = listen();
  set_option(listener, TCP_DEFER_ACCEPT, 30);
  TunClients clients(ns_, kPort, version_);
  TunClient& client = clients.connect();
  clients.receive();
  clients.send_ack(client);
  clients.receive();
  EXPECT_EQ(accept_all(listener), 0);
  EXPECT_EQ(counters_of(ns_).at("TcpExtTCPDeferAcceptDrop"), 1U);
  clients.send_data(client);
  clients.receive();
  EXPECT_EQ(accept_all(listener), 1);
  // What is passed over raises sk_drops, and must not be taken for a refusal of what comes next.
  TunClient& next = clients.connect();
  shake_hands(clients, next);
  expect_terms({{kSynReceived, 2},
                {kSynQueued, 2},
                {kSynackSent, 2},
                {kAckQueued, 1},
                {kAccepted, 1},
                {kAcceptAgain, 2},
                {kListenCalls, 1}});
}

// Resets, FINs and data that come to a listener raise its sk_drops, and so does an ICMP error that
// ends a request, which is counted in ListenDrops besides. None of them is a refusal, and none
// makes one of the SYN that comes next.
TEST_P(LedgerCases, StrayPacketsAreNoRefusals) {
  const UniqueFd listener = listen();
  TunClients clients(ns_, kPort, version_);
  const auto stray = [&] {
    for (const int flags : {TH_RST, TH_FIN, 0, TH_PUSH}) {
      clients.send_unasked(static_cast<std::uint8_t>(flags), flags == 0 || flags == TH_PUSH);
    }
  };
  constexpr std::uint64_t kServed = 20;
  for (std::uint64_t i = 0; i < kServed; ++i) {
    stray();
    shake_hands(clients, clients.connect());
    EXPECT_EQ(accept_all(listener), 1);
  }
  TunClient& unreachable = clients.connect();
  clients.receive();
  clients.send_unreachable(unreachable);
  // And beside real overflow.
  for (int i = 0; i < kCapacity; ++i) {
    stray();
    shake_hands(clients, clients.connect());
  }
  constexpr std::uint64_t kRefused = 5;
  for (std::uint64_t i = 0; i < kRefused; ++i) {
    stray();
    static_cast<void>(clients.connect());
    stray();
  }
  const Ledger seen = ledger();
  EXPECT_EQ(facts::refused_at_syn(seen), kRefused);
  EXPECT_EQ(facts::refused_at_ack(seen), 0U);
  EXPECT_EQ(counters_of(ns_).at("TcpExtListenDrops"), kRefused + 1);
  EXPECT_EQ(seen[kRequestUnreachable], 1U);
  if (by_tracepoints()) return;
  expect_terms({{kSynReceived, kServed + 1 + kCapacity + kRefused},
                {kSynQueued, kServed + 1 + kCapacity},
                {kSynackSent, kServed + 1 + kCapacity},
                {kRequestUnreachable, 1},
                {kSynRefusedAcceptFull, kRefused},
                {kAckQueued, kServed + kCapacity},
                {kAccepted, kServed},
                {kAcceptAgain, kServed},
                {kListenCalls, 1},
                {kAttemptsRefused, kRefused}});
}

// A full SYN queue sends cookies, though the accept queue has room.
TEST_P(LedgerCases, CookiesWhenTheSynQueueIsFull) {
  ns_.set("net/ipv4/tcp_syncookies", "1");
  const listenpath::KernelRules rules = listenpath::rules_for(release());
  if (rules.syn_queue == listenpath::SynQueueRule::kAtOrAboveLimit) {
    GTEST_SKIP() << "the release does not tell which rule this kernel has";
  }
  const std::uint64_t room =
      listenpath::syn_queue_capacity(
          rules, {.accept_limit = QueueLimit(kBacklog), .max_syn_backlog = 2048, .syncookies = 1})
          .value_or(0);
  const UniqueFd listener = listen();
  TunClients clients(ns_, kPort, version_);
  const auto made = clients.connect_many(static_cast<int>(room) + 3);
  clients.receive_answers(made);
  for (const TunClient* client : made) EXPECT_EQ(client->synacks, 1);
  clients.send_ack(*made.back());  // of a cookie
  clients.receive();
  EXPECT_EQ(accept_all(listener), 1);
  expect_terms({{kSynReceived, room + 3},
                {kSynQueued, room},
                {kSynCookie, 3},
                {kSynackSent, room + 3},
                {kCookieValid, 1},
                {kAckQueued, 1},
                {kAccepted, 1},
                {kAcceptAgain, 1},
                {kListenCalls, 1}});
}

// One member of a group is stuck: its ledger alone shows refusals.
TEST_P(LedgerCases, StuckMemberOfAReuseportGroup) {
  const UniqueFd stuck = bind_socket(IPPROTO_TCP, true);
  const UniqueFd quick = bind_socket(IPPROTO_TCP, true);
  ASSERT_EQ(::listen(stuck.get(), kBacklog), 0);
  ASSERT_EQ(::listen(quick.get(), kBacklog), 0);
  // Ledgers get them with the next packet, as they do after a scan.
  const SocketCookie stuck_cookie = cookie_of(stuck);
  const SocketCookie quick_cookie = cookie_of(quick);
  TunClients clients(ns_, kPort, version_);
  constexpr std::uint64_t kClients = 60;
  std::uint64_t accepted = 0;
  for (std::uint64_t i = 0; i < kClients; ++i) {
    shake_hands(clients, clients.connect());
    accepted += static_cast<std::uint64_t>(accept_all(quick));
  }
  const Ledger of_stuck = ledger(ns_, stuck_cookie);
  const Ledger of_quick = ledger(ns_, quick_cookie);
  EXPECT_EQ(of_stuck[kAckQueued], unsigned{kCapacity});
  EXPECT_EQ(of_quick[kAckQueued], accepted);
  EXPECT_EQ(of_quick[kAccepted].value_or(accepted), accepted);
  EXPECT_EQ(facts::refused_at_syn(of_quick), 0U);
  const std::uint64_t refused = kClients - accepted - kCapacity;
  EXPECT_GT(refused, 0U) << "the hash sends some to each";
  EXPECT_EQ(facts::refused_at_syn(of_stuck), refused);
  EXPECT_EQ(counters_of(ns_).at("TcpExtListenOverflows"), refused);
}

// An IPv4 client of an IPv6 listener: one listener, and the client by its IPv4 address.
TEST_P(LedgerCases, Ipv4ClientsOfAnIpv6Listener) {
  if (version_ != IpVersion::kV4) GTEST_SKIP() << "is about IPv4 clients";
  UniqueFd listener;
  ns_.run([&] { listener = listen_tcp("::", kPort, kBacklog); });
  ::fcntl(listener.get(), F_SETFL, O_NONBLOCK);
  TunClients clients(ns_, kPort, version_);
  fill(clients);
  const auto refused = clients.connect_many(3);
  clients.receive();
  std::vector<facts::Refusal> refusals;
  EXPECT_TRUE(eventually([&] {
    EXPECT_TRUE(tracer_->poll(std::chrono::milliseconds(10), [&](const auto& record) {
      if (record.refusal.netns == ns_.id()) refusals.push_back(record.refusal);
    }));
    return refusals.size() >= refused.size();
  }));
  const Ledger seen = ledger();
  EXPECT_TRUE(seen.address.is_v6());
  for (const facts::Refusal& refusal : refusals) {
    EXPECT_TRUE(refusal.client.to_string().starts_with("10.9.0.")) << refusal.client.to_string();
    EXPECT_EQ(refusal.cookie, seen.cookie);
  }
  EXPECT_EQ(accept_all(listener), kCapacity);
  expect_terms({{kSynReceived, kCapacity + 3},
                {kSynQueued, kCapacity},
                {kSynackSent, kCapacity},
                {kSynRefusedAcceptFull, 3},
                {kAckQueued, kCapacity},
                {kAccepted, kCapacity},
                {kAcceptAgain, 1},
                {kListenCalls, 1},
                {kAttemptsRefused, 3}});
}

// A listener that is bound to an IPv4 address written as one of IPv6.
TEST_P(LedgerCases, Ipv4ClientsOfAMappedAddress) {
  if (version_ != IpVersion::kV4) GTEST_SKIP() << "is about IPv4 clients";
  TunClients clients(ns_, kPort, version_);
  UniqueFd listener;
  ns_.run([&] { listener = listen_tcp("::ffff:10.8.0.1", kPort, kBacklog); });
  fill(clients);
  ASSERT_EQ(clients.connect_many(3).size(), 3U);
  clients.receive();
  EXPECT_TRUE(eventually([&] { return facts::refused_at_syn(ledger()) == std::uint64_t{3}; }));
  EXPECT_EQ(tracer_->losses().packets, 0U);
}

// Out of descriptors, accept() fails before it looks at the queue.
TEST_P(LedgerCases, OutOfDescriptors) {
  const UniqueFd listener = listen();
  TunClients clients(ns_, kPort, version_);
  shake_hands(clients, clients.connect());
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const int refused = ::accept(listener.get(), nullptr, nullptr);
  const int reason = errno;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(refused, -1);
  EXPECT_EQ(reason, EMFILE);
  EXPECT_EQ(accept_all(listener), 1);
  expect_terms({{kSynReceived, 1},
                {kSynQueued, 1},
                {kSynackSent, 1},
                {kAckQueued, 1},
                {kAccepted, 1},
                {kAcceptEmfile, by_kprobes() ? 0U : 1U},
                {kAcceptAgain, 1},
                {kListenCalls, 1}});
}

// Go's servers are MPTCP by default; the socket below is the listener that clients reach.
TEST_P(LedgerCases, MptcpListener) {
  const UniqueFd listener = bind_socket(IPPROTO_MPTCP, false);
  if (!listener.valid()) GTEST_SKIP() << "this kernel has no MPTCP";
  ASSERT_EQ(::listen(listener.get(), kBacklog), 0);
  TunClients clients(ns_, kPort, version_);
  fill(clients);
  const auto refused = clients.connect_many(4);
  clients.receive();
  for (const TunClient* client : refused) EXPECT_EQ(client->synacks, 0);
  const Ledger seen = ledger();
  EXPECT_EQ(seen[kAckQueued], unsigned{kCapacity});
  EXPECT_EQ(seen[kSynRefusedAcceptFull], refused.size());
  EXPECT_EQ(counters_of(ns_).at("TcpExtListenOverflows"), refused.size());
  EXPECT_EQ(accept_all(listener), kCapacity);
  EXPECT_EQ(ledger()[kAccepted], unsigned{kCapacity});
  if (by_tracepoints()) return;
  ASSERT_TRUE(seen.listen.has_value());
  EXPECT_EQ(seen.listen->requested, kBacklog);
  EXPECT_EQ(seen.listen->limit, unsigned{kBacklog});
}

// A member of the group is closed, and what waits there goes to the other.
TEST_P(LedgerCases, MigrationFromAClosedMember) {
  if (by_tracepoints()) GTEST_SKIP() << "tracepoints do not tell";
  // Debian's 5.10 has the sysctl, and does not migrate.
  if (!counters_of(ns_).contains("TcpExtTCPMigrateReqSuccess")) {
    GTEST_SKIP() << "this kernel does not migrate (5.14)";
  }
  ns_.set("net/ipv4/tcp_migrate_req", "1");
  UniqueFd closes = bind_socket(IPPROTO_TCP, true);
  const UniqueFd stays = bind_socket(IPPROTO_TCP, true);
  constexpr int kRoom = 100;
  ASSERT_EQ(::listen(closes.get(), kRoom), 0);
  ASSERT_EQ(::listen(stays.get(), kRoom), 0);
  const SocketCookie closing_cookie = cookie_of(closes);
  const SocketCookie staying_cookie = cookie_of(stays);
  TunClients clients(ns_, kPort, version_);
  constexpr std::uint64_t kClients = 20;
  for (std::uint64_t i = 0; i < kClients; ++i) shake_hands(clients, clients.connect());
  const auto own = static_cast<std::uint64_t>(accept_all(stays));
  const std::uint64_t waiting = kClients - own;
  ASSERT_GT(waiting, 0U) << "the hash sends some to each";
  closes.reset();
  EXPECT_EQ(static_cast<std::uint64_t>(accept_all(stays)), waiting);
  const Ledger closed = ledger(ns_, closing_cookie);
  const Ledger stayed = ledger(ns_, staying_cookie);
  EXPECT_EQ(closed[kAckQueued], waiting);
  EXPECT_EQ(closed[kClosedWaiting], 0U);
  EXPECT_EQ(stayed[kAckQueued], own);
  EXPECT_EQ(stayed[kMigratedIn], waiting);
  EXPECT_EQ(stayed[kAccepted], kClients);
}

// Namespaces come and go, and the kernel gives their inodes to others.
TEST_P(LedgerCases, NamespacesComeAndGo) {
  for (std::uint64_t i = 1; i <= 4; ++i) {
    const TestNetns ns;
    UniqueFd listener;
    ns.run([&] {
      listener = listen_tcp(version_ == IpVersion::kV4 ? "0.0.0.0" : "::", kPort, kBacklog);
    });
    TunClients clients(ns, kPort, version_);
    static_cast<void>(clients.connect_many(static_cast<int>(i)));
    // What is written into the device is handled when the kernel gets to it.
    EXPECT_TRUE(eventually([&] {
      clients.receive();
      return ledger(ns)[kSynReceived] == i;
    })) << "seen: "
        << ledger(ns)[kSynReceived].value_or(0) << " of " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(, LedgerCases,
                         ::testing::Combine(::testing::Values(How::kFentry, How::kKprobe,
                                                              How::kTracepoint),
                                            ::testing::Values(IpVersion::kV4, IpVersion::kV6)),
                         [](const auto& test) { return name_of(test.param); });

}  // namespace
}  // namespace acceptq::test
