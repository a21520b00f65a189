#include "support/traffic.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <cstddef>
#include <cstring>
#include <deque>
#include <thread>

#include "support/require.h"

namespace acceptq::test {
namespace {

struct Endpoint {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] int family() const { return storage.ss_family; }
};

Endpoint tcp_endpoint(const std::string& address, std::uint16_t port) {
  Endpoint endpoint;
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  if (::inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&endpoint.storage, &v4, endpoint.size = sizeof v4);
  } else if (::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&endpoint.storage, &v6, endpoint.size = sizeof v6);
  }
  return endpoint;
}

// A name that begins with a NUL is abstract: its length counts.
Endpoint unix_endpoint(const std::string& path) {
  Endpoint endpoint;
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(static_cast<char*>(name.sun_path), sizeof name.sun_path - 1);
  std::memcpy(&endpoint.storage, &name, sizeof name);
  endpoint.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() +
                                         (path.starts_with('\0') ? 0 : 1));
  return endpoint;
}

UniqueFd listen_on(const Endpoint& endpoint, int backlog) {
  UniqueFd fd(::socket(endpoint.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  require(fd.valid(), "socket");
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  require(::bind(fd.get(), endpoint.get(), endpoint.size) == 0, "bind");
  require(::listen(fd.get(), backlog) == 0, "listen");
  return fd;
}

std::vector<UniqueFd> connect_to(const Endpoint& endpoint, int count) {
  std::vector<UniqueFd> clients;
  for (int i = 0; i < count; ++i) {
    UniqueFd fd(::socket(endpoint.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    require(fd.valid(), "socket");
    // In progress, refused for a full Unix queue (EAGAIN): all are part of the picture.
    static_cast<void>(::connect(fd.get(), endpoint.get(), endpoint.size));
    clients.push_back(std::move(fd));
  }
  return clients;
}

}  // namespace

UniqueFd listen_tcp(const std::string& address, std::uint16_t port, int backlog) {
  return listen_on(tcp_endpoint(address, port), backlog);
}

UniqueFd listen_unix(const std::string& path, int backlog) {
  return listen_on(unix_endpoint(path), backlog);
}

std::uint32_t waiting_connections(const UniqueFd& listener) {
  tcp_info info{};
  socklen_t size = sizeof info;
  require(::getsockopt(listener.get(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0, "TCP_INFO");
  return info.tcpi_unacked;
}

std::vector<UniqueFd> connect_many(const std::string& address, std::uint16_t port, int count) {
  return connect_to(tcp_endpoint(address, port), count);
}

std::vector<UniqueFd> connect_many_unix(const std::string& path, int count) {
  return connect_to(unix_endpoint(path), count);
}

SteadyClients::SteadyClients(int netns_fd, std::string address, std::uint16_t port)
    : thread_([netns_fd, address = std::move(address), port](const std::stop_token& stop) {
        require(::setns(netns_fd, CLONE_NEWNET) == 0, "setns");
        constexpr std::size_t kKept = 1000;
        std::deque<UniqueFd> kept;
        while (!stop.stop_requested()) {
          for (UniqueFd& client : connect_many(address, port, 2)) kept.push_back(std::move(client));
          while (kept.size() > kKept) kept.pop_front();
          std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
      }) {}

bool eventually(const std::function<bool()>& condition, double seconds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

}  // namespace acceptq::test
