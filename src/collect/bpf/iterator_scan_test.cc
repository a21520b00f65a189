// The iterator against sockets of the test's own: what it says of each must be what the socket's
// owner, ss and /proc say of it.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "collect/bpf/iterator_test_support.h"
#include "support/child.h"
#include "support/netns.h"
#include "support/traffic.h"

namespace acceptq::collect::bpf {
namespace {

using facts::IpAddress;
using testing::IsNull;
using testing::NotNull;

constexpr int kMptcp = 262;  // IPPROTO_MPTCP, not in Debian 12's netinet/in.h

struct Ipv6Options {
  bool v6only = false;
  int protocol = 0;
};

UniqueFd listen_any_v6(int backlog, Ipv6Options options) {
  UniqueFd fd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, options.protocol));
  if (!fd.valid()) return fd;
  const int v6only = options.v6only ? 1 : 0;
  EXPECT_EQ(::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only), 0);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(::listen(fd.get(), backlog), 0);
  return fd;
}

UniqueFd listen_shared_port(std::uint16_t& port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  EXPECT_EQ(::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  EXPECT_EQ(::listen(fd.get(), 9), 0);
  port = ntohs(address.sin_port);
  return fd;
}

std::uint16_t port_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

// Recv-Q and Send-Q as ss prints them for the listener on `port` of the namespace.
struct Queues {
  std::uint32_t length = 0;
  std::uint32_t limit = 0;
};

std::optional<Queues> queues_by_ss(int netns_fd, std::uint16_t port) {
  const test::Output output = test::run_program({"ss", "-H", "-lnt"}, netns_fd);
  std::string_view rest = output.out;
  const std::string suffix = ":" + std::to_string(port);
  while (!rest.empty()) {
    const std::vector<std::string_view> fields = split_blank(next_line(rest));
    if (fields.size() < 4 || !fields[3].ends_with(suffix)) continue;
    return Queues{parse_int<std::uint32_t>(fields[1]).value_or(0),
                  parse_int<std::uint32_t>(fields[2]).value_or(0)};
  }
  return std::nullopt;
}

TEST_F(IteratorTest, Ipv4ListenerWithItsIdentity) {
  const test::TestNetns netns;
  UniqueFd fd;
  netns.run([&] { fd = test::listen_tcp("127.0.0.1", 0, 17); });
  const IteratorScan seen = scan();  // before anyone asks for the cookie: the scan makes it
  const facts::Listener* listener = find(seen, fd.get());
  ASSERT_THAT(listener, NotNull());
  EXPECT_EQ(listener->protocol, facts::Protocol::kTcp);
  EXPECT_EQ(listener->netns, netns.id());
  EXPECT_EQ(listener->address, IpAddress::parse("127.0.0.1"));
  EXPECT_EQ(listener->port, port_of(fd.get()));
  EXPECT_EQ(listener->cookie, cookie_of(fd.get()));
  EXPECT_EQ(listener->limit, QueueLimit(17));
  EXPECT_EQ(listener->accept_queue_len, QueueLength(0));
  EXPECT_EQ(listener->syn_queue_len, 0U);
  EXPECT_EQ(listener->syn_queue_young, 0U);
  EXPECT_EQ(listener->drops, 0U);
  EXPECT_EQ(listener->uid, ::geteuid());
  EXPECT_EQ(listener->v6only, std::nullopt);
  EXPECT_EQ(listener->reuseport, false);
  EXPECT_FALSE(listener->mptcp);
  EXPECT_TRUE(listener->cgroup_id.has_value());
  EXPECT_EQ(seen.records, scan().records);
}

TEST_F(IteratorTest, Ipv6ListenersWithAndWithoutIpv4) {
  const test::TestNetns netns;
  UniqueFd both;
  UniqueFd only;
  netns.run([&] {
    both = listen_any_v6(5, {.v6only = false});
    only = listen_any_v6(6, {.v6only = true});
  });
  const IteratorScan seen = scan();
  const facts::Listener* of_both = find(seen, both.get());
  const facts::Listener* of_one = find(seen, only.get());
  ASSERT_THAT(of_both, NotNull());
  ASSERT_THAT(of_one, NotNull());
  EXPECT_EQ(of_both->address, IpAddress::parse("::"));
  EXPECT_EQ(of_both->v6only, false);
  EXPECT_EQ(of_one->v6only, true);
  EXPECT_EQ(of_one->limit, QueueLimit(6));
}

TEST_F(IteratorTest, LimitsAndSysctlsAreThoseOfTheSocketsNamespace) {
  const test::TestNetns netns;
  netns.set("net/core/somaxconn", "31");
  netns.set("net/ipv4/tcp_max_syn_backlog", "77");
  netns.set("net/ipv4/tcp_syncookies", "2");
  netns.set("net/ipv4/tcp_abort_on_overflow", "1");
  netns.set("net/ipv4/tcp_synack_retries", "3");
  netns.set("net/ipv4/tcp_fastopen", "519");
  UniqueFd fd;
  std::optional<std::uint64_t> cookie;
  netns.run([&] {
    fd = test::listen_tcp("127.0.0.1", 0, 511);
    std::uint64_t value = 0;
    socklen_t size = sizeof value;
    constexpr int kNetnsCookie = 71;  // SO_NETNS_COOKIE, 5.14
    if (::getsockopt(fd.get(), SOL_SOCKET, kNetnsCookie, &value, &size) == 0) cookie = value;
  });
  const IteratorScan seen = scan();
  ASSERT_THAT(find(seen, fd.get()), NotNull());
  EXPECT_EQ(find(seen, fd.get())->limit, QueueLimit(31));
  const NamespaceSeen* space = find(seen, netns.id());
  ASSERT_THAT(space, NotNull());
  EXPECT_EQ(space->sysctls.at(facts::kSomaxconn).value, 31);
  EXPECT_EQ(space->sysctls.at(facts::kMaxSynBacklog).value, 77);
  EXPECT_EQ(space->sysctls.at(facts::kSyncookies).value, 2);
  EXPECT_EQ(space->sysctls.at(facts::kAbortOnOverflow).value, 1);
  EXPECT_EQ(space->sysctls.at(facts::kSynackRetries).value, 3);
  EXPECT_EQ(space->sysctls.at(facts::kFastopen).value, 519);
  if (cookie) {
    EXPECT_EQ(space->cookie, cookie);
  }
}

TEST_F(IteratorTest, ReuseportListenersAreTwo) {
  const test::TestNetns netns;
  UniqueFd first;
  UniqueFd second;
  netns.run([&] {
    std::uint16_t port = 0;
    first = listen_shared_port(port);
    second = listen_shared_port(port);
  });
  const IteratorScan seen = scan();
  const facts::Listener* one = find(seen, first.get());
  const facts::Listener* two = find(seen, second.get());
  ASSERT_THAT(one, NotNull());
  ASSERT_THAT(two, NotNull());
  EXPECT_EQ(one->reuseport, true);
  EXPECT_EQ(two->reuseport, true);
  EXPECT_EQ(one->port, two->port);
  EXPECT_NE(one->cookie, two->cookie);
  EXPECT_EQ(facts::reuseport_key(*one), facts::reuseport_key(*two));
}

TEST_F(IteratorTest, ListenerOnADevice) {
  const test::TestNetns netns;
  UniqueFd fd;
  netns.run([&] {
    fd = test::listen_tcp("127.0.0.1", 0, 5);
    EXPECT_EQ(::setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, "lo", 2), 0);
  });
  const IteratorScan seen = scan();
  ASSERT_THAT(find(seen, fd.get()), NotNull());
  EXPECT_EQ(find(seen, fd.get())->ifindex, 1U);  // lo is the first device of a namespace
}

TEST_F(IteratorTest, QueueLengthsAreThoseOfSs) {
  const test::TestNetns netns;
  UniqueFd fd;
  std::vector<UniqueFd> clients;
  netns.run([&] {
    fd = test::listen_tcp("127.0.0.1", 0, 2);
    clients = test::connect_many("127.0.0.1", port_of(fd.get()), 6);
  });
  IteratorScan seen;
  ASSERT_TRUE(test::eventually([&] {
    seen = scan();
    const facts::Listener* listener = find(seen, fd.get());
    return listener != nullptr && listener->accept_queue_len == QueueLength(3);
  }));
  const facts::Listener* listener = find(seen, fd.get());
  EXPECT_EQ(listener->limit, QueueLimit(2));  // and the queue holds one more
  EXPECT_GT(listener->drops.value_or(0), 0U);
  const std::optional<Queues> by_ss = queues_by_ss(netns.fd(), port_of(fd.get()));
  if (!by_ss) GTEST_SKIP() << "no ss to compare with; the rest held";
  EXPECT_EQ(by_ss->length, 3U);
  EXPECT_EQ(by_ss->limit, 2U);
}

// A client that is gone still holds its place. A second descriptor of the socket is a second
// record.
TEST_F(IteratorTest, CountsThoseThatWaitAndHaveHungUp) {
  const test::TestNetns netns;
  UniqueFd fd;
  std::vector<UniqueFd> clients;
  netns.run([&] {
    fd = test::listen_tcp("127.0.0.1", 0, 50);
    clients = test::connect_many("127.0.0.1", port_of(fd.get()), 40);
  });
  const UniqueFd again(::dup(fd.get()));
  clients.resize(10);
  constexpr auto kDepth = ListenerIterator::Depth::kWithWaiting;
  if (IteratorScan seen = scan(kDepth); !find(seen, fd.get())->waiting_seen) {
    GTEST_SKIP() << "no bpf_loop (Linux 5.17)";
  }
  const auto seen_as = [&](std::uint32_t waiting, std::uint32_t hung_up) {
    const IteratorScan seen = scan(kDepth);
    const facts::Listener* listener = find(seen, fd.get());
    return listener != nullptr && listener->waiting_seen == waiting &&
           listener->waiting_hung_up == hung_up;
  };
  EXPECT_TRUE(test::eventually([&] { return seen_as(40, 30); }));
  {
    const UniqueFd taken(::accept4(fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  EXPECT_TRUE(seen_as(39, 30) || seen_as(39, 29));
  EXPECT_EQ(find(scan(), fd.get())->waiting_seen, std::nullopt);  // it was not asked for
}

TEST_F(IteratorTest, UnixListenersByPathAndByAbstractName) {
  std::string directory = "/tmp/acceptq-iterator-XXXXXX";
  ASSERT_THAT(::mkdtemp(directory.data()), NotNull());
  const std::string path = directory + "/x.sock";
  const UniqueFd named = test::listen_unix(path, 3);
  const std::vector<UniqueFd> clients = test::connect_many_unix(path, 2);

  const UniqueFd abstract(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = std::string("\0acceptq.iterator.", 18) + std::to_string(::getpid());
  std::memcpy(static_cast<char*>(address.sun_path), name.data(), name.size());
  EXPECT_EQ(::bind(abstract.get(), reinterpret_cast<sockaddr*>(&address),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())),
            0);
  EXPECT_EQ(::listen(abstract.get(), 4), 0);

  const IteratorScan seen = scan();
  std::filesystem::remove_all(directory);
  const facts::Listener* by_path = find(seen, named.get());
  const facts::Listener* by_name = find(seen, abstract.get());
  ASSERT_THAT(by_path, NotNull());
  ASSERT_THAT(by_name, NotNull());
  EXPECT_EQ(by_path->protocol, facts::Protocol::kUnix);
  EXPECT_EQ(by_path->path, path);
  EXPECT_EQ(by_path->accept_queue_len, QueueLength(2));
  EXPECT_EQ(by_path->limit, QueueLimit(3));
  EXPECT_EQ(by_path->cookie, cookie_of(named.get()));
  EXPECT_EQ(by_name->path, "@" + name.substr(1));
  EXPECT_EQ(by_name->limit, QueueLimit(4));
}

TEST_F(IteratorTest, AnMptcpListenerIsItsSubflow) {
  const test::TestNetns netns;
  UniqueFd fd;
  std::vector<UniqueFd> clients;
  netns.run([&] {
    fd = listen_any_v6(3, {.protocol = kMptcp});
    if (fd.valid()) clients = test::connect_many("127.0.0.1", port_of(fd.get()), 2);
  });
  if (!fd.valid()) GTEST_SKIP() << "no MPTCP sockets: " << std::strerror(errno);
  IteratorScan seen;
  const auto is_filled = [&] {
    seen = scan();
    const facts::Listener* listener = find(seen, fd.get());
    return listener != nullptr && listener->accept_queue_len == QueueLength(2);
  };
  ASSERT_TRUE(test::eventually(is_filled));
  const facts::Listener* listener = find(seen, fd.get());
  EXPECT_TRUE(listener->mptcp);
  EXPECT_EQ(listener->limit, QueueLimit(3));
  EXPECT_EQ(listener->port, port_of(fd.get()));
  EXPECT_NE(listener->cookie, cookie_of(fd.get()));  // the subflow's, not the descriptor's
}

TEST_F(IteratorTest, OtherSocketsAreNoListeners) {
  const test::TestNetns netns;
  std::array<UniqueFd, 4> others;
  netns.run([&] {
    const UniqueFd listener = test::listen_tcp("127.0.0.1", 0, 5);
    std::vector<UniqueFd> clients = test::connect_many("127.0.0.1", port_of(listener.get()), 1);
    others[0] = std::move(clients.front());
    others[1] = UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    others[2] = UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    others[3] = UniqueFd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;  // without a name: the kernel chooses an abstract one
    EXPECT_EQ(
        ::bind(others[3].get(), reinterpret_cast<sockaddr*>(&address), sizeof address.sun_family),
        0);
    EXPECT_EQ(::listen(others[3].get(), 5), 0);
  });
  const IteratorScan seen = scan();
  for (const UniqueFd& fd : others) {
    ASSERT_TRUE(fd.valid());
    EXPECT_THAT(find(seen, fd.get()), IsNull());
  }
}

}  // namespace
}  // namespace acceptq::collect::bpf
