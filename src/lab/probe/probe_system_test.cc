// The probe against real listeners on loopback.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "base/unique_fd.h"
#include "lab/probe/probe.h"

namespace acceptq::lab::probe {
namespace {

using std::chrono::milliseconds;

class Listener {
 public:
  explicit Listener(int backlog) {
    fd_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(fd_.get(), backlog), 0);
    EXPECT_EQ(::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  void close() { fd_.reset(); }

 private:
  UniqueFd fd_;
  std::uint16_t port_ = 0;
};

// Accepts and does `handle` to each connection until the listener is shut down.
template <typename Handle>
class Server {
 public:
  Server(Listener& listener, Handle handle)
      : listener_(listener), thread_([this, handle] {
          for (;;) {
            UniqueFd connection(::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
            if (!connection.valid()) return;
            handle(std::move(connection));
          }
        }) {}
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() {
    ::shutdown(listener_.fd(), SHUT_RDWR);
    thread_.join();
  }

 private:
  Listener& listener_;
  std::thread thread_;
};

ProbeOptions options_for(std::uint16_t port) {
  ProbeOptions options;
  options.address = *facts::IpAddress::parse("127.0.0.1");
  options.port = port;
  options.rate_per_s = 200;
  options.count = 40;
  options.timeout = milliseconds(500);
  return options;
}

TEST(ProbeSystem, ServerThatAcceptsAndAnswers) {
  Listener listener(128);
  const auto answer = [](UniqueFd connection) {
    char request[64];
    if (::recv(connection.get(), request, sizeof request, 0) > 0) {
      EXPECT_EQ(::send(connection.get(), "hello", 5, MSG_NOSIGNAL), 5);
    }
  };
  const Server server(listener, answer);
  ProbeOptions options = options_for(listener.port());
  options.send = "ping";
  options.expect_reply = true;
  const Result<ProbeResult> result = probe(options);
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(result->started, 40U);
  EXPECT_EQ(result->of(Outcome::kConnectedAtOnce), 40U) << to_text(*result);
  EXPECT_EQ(result->first_byte_time.count(), 40U);
  EXPECT_EQ(result->shortfall, 0U);
  EXPECT_TRUE(result->retries_from_kernel);
  // 40 arrivals at 200/s: the last one is due after 195 ms.
  EXPECT_GE(result->arrivals_s, 0.19);
  EXPECT_LT(result->arrivals_s, 1.0);
}

TEST(ProbeSystem, ClosedPortRefuses) {
  Listener listener(1);
  const std::uint16_t port = listener.port();
  listener.close();
  const Result<ProbeResult> result = probe(options_for(port));
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(result->of(Outcome::kRefused), 40U) << to_text(*result);
  EXPECT_EQ(result->errors.at(ECONNREFUSED), 40U);
}

TEST(ProbeSystem, NobodyAcceptsWithABacklogOfOne) {
  const Listener listener(1);
  ProbeOptions options = options_for(listener.port());
  options.count = 12;
  options.expect_reply = true;
  const Result<ProbeResult> result = probe(options);
  ASSERT_TRUE(result) << result.error().message();
  // Two fit into the queue; a few more finish the client's half of the handshake, their final ACK
  // being refused; the SYNs of the rest are.
  EXPECT_GE(result->of(Outcome::kNeverAnswered), 2U) << to_text(*result);
  EXPECT_GE(result->of(Outcome::kTimedOut), 5U) << to_text(*result);
  EXPECT_EQ(result->of(Outcome::kNeverAnswered) + result->of(Outcome::kTimedOut), 12U);
}

TEST(ProbeSystem, QueueThatOpensLaterIsReachedByASynRetry) {
  Listener listener(1);
  ProbeOptions options = options_for(listener.port());
  options.count = 10;
  options.timeout = milliseconds(3000);
  std::thread late([&listener] {
    std::this_thread::sleep_for(milliseconds(500));
    while (UniqueFd(::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC)).valid()) continue;
  });
  const Result<ProbeResult> result = probe(options);
  ::shutdown(listener.fd(), SHUT_RDWR);
  late.join();
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_GE(result->of(Outcome::kConnectedAtOnce), 2U) << to_text(*result);
  EXPECT_GE(result->of(Outcome::kConnectedAfterRetries), 1U) << to_text(*result);
  EXPECT_GE(result->syn_retries.at(1), 1U) << to_text(*result);
  EXPECT_GE(*result->connect_time.max_us(), 900'000);
}

TEST(ProbeSystem, ServerThatResets) {
  Listener listener(128);
  const auto reset = [](UniqueFd connection) {
    const linger now{1, 0};
    EXPECT_EQ(::setsockopt(connection.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
  };
  const Server server(listener, reset);
  ProbeOptions options = options_for(listener.port());
  options.expect_reply = true;
  const Result<ProbeResult> result = probe(options);
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(result->of(Outcome::kReset), 40U) << to_text(*result);
}

TEST(ProbeSystem, ServerThatClosesWithoutAByte) {
  Listener listener(128);
  const Server server(listener, [](UniqueFd) {});
  ProbeOptions options = options_for(listener.port());
  options.expect_reply = true;
  const Result<ProbeResult> result = probe(options);
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(result->of(Outcome::kClosedUnanswered), 40U) << to_text(*result);
}

TEST(ProbeSystem, ReportsTheShortfallOfAnOpenLoop) {
  const Listener listener(128);
  ProbeOptions options = options_for(listener.port());
  options.concurrency = 5;
  options.count = 30;
  options.expect_reply = true;
  const Result<ProbeResult> result = probe(options);
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(result->started + result->shortfall, 30U);
  EXPECT_GE(result->shortfall, 20U) << to_text(*result);
}

TEST(ProbeSystem, StopEndsItAndCountsTheUnfinished) {
  const Listener listener(128);
  ProbeOptions options = options_for(listener.port());
  options.count = 0;
  options.expect_reply = true;
  options.timeout = milliseconds(60'000);
  std::atomic<bool> stop = false;
  std::uint64_t last_started = 0;
  const auto progress = [&](const ProbeProgress& now) {
    last_started = now.started;
    if (now.elapsed_s > 0.5) stop = true;
  };
  const Result<ProbeResult> result = probe(options, &stop, progress);
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_TRUE(result->stopped);
  EXPECT_GT(last_started, 0U);
  EXPECT_EQ(result->of(Outcome::kUnfinished), result->started) << to_text(*result);
}

TEST(ProbeSystem, SourceAddressesAreUsedInTurn) {
  Listener listener(128);
  std::atomic<int> from_second = 0;
  const auto look = [&](UniqueFd connection) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    ::getpeername(connection.get(), reinterpret_cast<sockaddr*>(&peer), &size);
    if (ntohl(peer.sin_addr.s_addr) == 0x7f000003) ++from_second;
  };
  {
    const Server server(listener, look);
    ProbeOptions options = options_for(listener.port());
    options.expect_reply = true;
    options.source_addresses = {*facts::IpAddress::parse("127.0.0.2"),
                                *facts::IpAddress::parse("127.0.0.3")};
    ASSERT_TRUE(probe(options));
  }
  EXPECT_EQ(from_second, 20);
}

TEST(ProbeSystem, AddressThatIsNotOursIsALocalFailure) {
  const Listener listener(128);
  ProbeOptions options = options_for(listener.port());
  options.count = 3;
  options.source_addresses = {*facts::IpAddress::parse("192.0.2.7")};
  const Result<ProbeResult> result = probe(options);
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(result->of(Outcome::kLocalFailure), 3U);
  EXPECT_EQ(result->local_errors.at(EADDRNOTAVAIL), 3U);
}

TEST(ProbeSystem, EntersAnotherNamespaceWithoutMovingTheCaller) {
  UniqueFd other;
  std::thread maker([&other] {
    if (::unshare(CLONE_NEWNET) != 0) return;
    other = UniqueFd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  });
  maker.join();
  if (!other.valid()) GTEST_SKIP() << "no privilege to make a network namespace";
  const Listener listener(128);
  ProbeOptions options = options_for(listener.port());
  options.count = 3;
  options.netns_fd = other.get();
  const Result<ProbeResult> there = probe(options);
  ASSERT_TRUE(there) << there.error().message();
  // Its loopback is down.
  EXPECT_EQ(there->of(Outcome::kOtherError), 3U) << to_text(*there);
  EXPECT_EQ(there->errors.count(ENETUNREACH), 1U);
  options.netns_fd = -1;
  const Result<ProbeResult> here = probe(options);
  ASSERT_TRUE(here) << here.error().message();
  EXPECT_EQ(here->of(Outcome::kConnectedAtOnce), 3U);
}

TEST(ProbeSystem, ALinkLocalAddressIsReachedByItsDevice) {
  std::thread([] {
    if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "no privilege to make a network namespace";
    ASSERT_EQ(std::system("ip link set lo up && ip address add fe80::7/64 dev lo nodad"), 0);
    const UniqueFd fd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    socklen_t size = sizeof any;
    ASSERT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&any), size), 0);
    ASSERT_EQ(::listen(fd.get(), 16), 0);
    ASSERT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&any), &size), 0);
    ProbeOptions options = options_for(ntohs(any.sin6_port));
    options.address = *facts::IpAddress::parse("fe80::7");
    options.count = 2;
    options.device = "lo";
    const Result<ProbeResult> result = probe(options);
    ASSERT_TRUE(result) << result.error().message();
    EXPECT_EQ(result->of(Outcome::kConnectedAtOnce), 2U) << to_text(*result);
    EXPECT_EQ(result->target, "[fe80::7%lo]:" + std::to_string(options.port));
    options.device = "none0";
    EXPECT_FALSE(probe(options));
  }).join();
}

TEST(ProbeSystem, RejectsOptionsThatMakeNoSense) {
  ProbeOptions options = options_for(1);
  options.port = 0;
  EXPECT_FALSE(probe(options));
  options = options_for(1);
  options.concurrency = 0;
  EXPECT_FALSE(probe(options));
  options = options_for(1);
  options.source_addresses = {*facts::IpAddress::parse("::1")};
  EXPECT_FALSE(probe(options));
}

}  // namespace
}  // namespace acceptq::lab::probe
