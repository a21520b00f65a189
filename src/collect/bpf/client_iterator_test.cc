// The client iterator against connections of the test's own.
#include "collect/bpf/client_iterator.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "support/child.h"
#include "support/traffic.h"

namespace acceptq::collect::bpf {
namespace {

std::uint16_t port_of(const UniqueFd& fd) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  return ntohs(address.sin_port);
}

TEST(ClientIterator, TellsWhoIsConnectedAndWhoWaitsForAnAnswer) {
  if (::geteuid() != 0) GTEST_SKIP() << "loading BPF programs needs root";
  // Room for two: once they are in, the kernel refuses the SYNs of the others. Those that came
  // before that may be answered by SYN cookies.
  constexpr int kBacklog = 1;
  constexpr int kRoom = kBacklog + 1;
  constexpr int kClients = 6;
  const UniqueFd listener = test::listen_tcp("127.0.0.1", 0, kBacklog);
  const std::uint16_t port = port_of(listener);
  const std::vector<UniqueFd> let_in = test::connect_many("127.0.0.1", port, kRoom);
  ASSERT_TRUE(test::eventually([&] { return test::waiting_connections(listener) == kRoom; }));
  const std::vector<UniqueFd> others = test::connect_many("127.0.0.1", port, kClients - kRoom);
  const Result<ClientsSeen> first = find_clients({port}, false);
  if (!first) GTEST_SKIP() << first.error().message();

  EXPECT_TRUE(test::eventually([&] {
    const Result<ClientsSeen> seen = find_clients({port}, false);
    if (!seen || seen->clients.size() != kClients) return false;
    return std::ranges::count(seen->clients, true, &ClientSeen::connecting) == kClients - kRoom;
  }));
  for (const ClientSeen& client : first->clients) {
    EXPECT_EQ(client.pid, Pid(::getpid()));
    EXPECT_EQ(client.peer, facts::IpAddress::parse("127.0.0.1"));
    EXPECT_EQ(client.peer_port, port);
  }
}

UniqueFd connect_to(const sockaddr_un& address) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  static_cast<void>(
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address));
  return fd;
}

TEST(ClientIterator, TellsWhoWaitsForAUnixListener) {
  if (::geteuid() != 0) GTEST_SKIP() << "loading BPF programs needs root";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = "acceptq-clients-" + std::to_string(::getpid());
  std::ranges::copy(name, address.sun_path + 1);  // abstract
  const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listener.get(), 8), 0);
  struct stat status{};
  ASSERT_EQ(::fstat(listener.get(), &status), 0);
  std::array<UniqueFd, 4> clients;
  for (UniqueFd& client : clients) client = connect_to(address);
  // One is taken, one is taken and has been closed since.
  const UniqueFd taken(::accept(listener.get(), nullptr, nullptr));
  UniqueFd closed(::accept(listener.get(), nullptr, nullptr));
  closed = UniqueFd();
  const Result<ClientsSeen> seen = find_clients({}, true);
  if (!seen) GTEST_SKIP() << seen.error().message();
  const auto waits = [&](const ClientSeen& client) {
    return client.pid == Pid(::getpid()) && client.unix_listener == SocketInode(status.st_ino);
  };
  EXPECT_EQ(std::ranges::count_if(seen->clients, waits), 2);
  const Result<ClientsSeen> without = find_clients({}, false);
  EXPECT_TRUE(without && without->clients.empty());
}

}  // namespace
}  // namespace acceptq::collect::bpf
