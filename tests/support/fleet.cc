#include "support/fleet.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <functional>

#include "base/unique_fd.h"
#include "support/netns.h"
#include "support/require.h"
#include "support/traffic.h"

namespace acceptq::test {
namespace {

// Forks a process that runs `prepare`, says so through a pipe, and then sleeps until it is killed.
pid_t start_sleeper(const std::function<void()>& prepare, UniqueFd& ready) {
  std::array<int, 2> ends{-1, -1};
  require(::pipe2(ends.data(), O_CLOEXEC) == 0, "pipe");
  ready = UniqueFd(ends[0]);
  UniqueFd done(ends[1]);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  require(pid >= 0, "fork");
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(0);
    prepare();
    require(::write(done.get(), "k", 1) == 1, "write");
    while (true) ::pause();
  }
  return pid;
}

void wait_ready(const std::vector<UniqueFd>& ready) {
  for (const UniqueFd& fd : ready) {
    char byte = 0;
    require(::read(fd.get(), &byte, 1) == 1, "a helper process of the test failed");
  }
}

void end_all(const std::vector<pid_t>& pids) {
  for (const pid_t pid : pids) ::kill(pid, SIGKILL);
  for (const pid_t pid : pids) ::waitpid(pid, nullptr, 0);
}

// Opens `count` connections from `source` to `server` and keeps both ends open.
void hold_connections(std::uint32_t source, std::size_t count) {
  static std::vector<UniqueFd> held;
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_addr.s_addr = htonl(source);
  require(::bind(listener.get(), reinterpret_cast<sockaddr*>(&server), sizeof server) == 0, "bind");
  require(::listen(listener.get(), 1024) == 0, "listen");
  socklen_t size = sizeof server;
  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&server), &size);
  for (std::size_t i = 0; i < count; ++i) {
    UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in from{};
    from.sin_family = AF_INET;
    from.sin_addr.s_addr = htonl(source);
    // The port is chosen at connect(), per destination: else 28,000 would be the end.
    const int on = 1;
    ::setsockopt(client.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    require(::bind(client.get(), reinterpret_cast<sockaddr*>(&from), sizeof from) == 0, "bind");
    require(::connect(client.get(), reinterpret_cast<sockaddr*>(&server), sizeof server) == 0,
            "connect");
    UniqueFd accepted(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    require(accepted.valid(), "accept");
    held.push_back(std::move(client));
    held.push_back(std::move(accepted));
  }
}

}  // namespace

Fleet::Fleet(std::size_t namespaces, std::size_t listeners) {
  std::vector<UniqueFd> ready(namespaces);
  for (UniqueFd& fd : ready) {
    const auto prepare = [listeners] {
      require(::unshare(CLONE_NEWNET) == 0, "unshare");
      static std::vector<UniqueFd> held;
      held.reserve(listeners);
      for (std::size_t i = 0; i < listeners; ++i) {
        held.push_back(listen_tcp("0.0.0.0", static_cast<std::uint16_t>(10000 + i), 128));
      }
    };
    pids_.push_back(start_sleeper(prepare, fd));
  }
  wait_ready(ready);
}

Fleet::~Fleet() { end_all(pids_); }

Connections::Connections(std::size_t count) {
  const TestNetns ns;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const std::size_t per_process =
      std::min<std::size_t>((std::min<rlim_t>(limit.rlim_max, 20000) - 64) / 2, count);
  std::vector<UniqueFd> ready;
  for (std::size_t done = 0; done < count; done += per_process) {
    const std::size_t share = std::min(per_process, count - done);
    const std::uint32_t source = 0x7f010001U + static_cast<std::uint32_t>(ready.size());
    const auto prepare = [&ns, limit, share, source] {
      const rlimit raised{.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
      ::setrlimit(RLIMIT_NOFILE, &raised);
      require(::setns(ns.fd(), CLONE_NEWNET) == 0, "setns");
      hold_connections(source, share);
    };
    UniqueFd fd;
    pids_.push_back(start_sleeper(prepare, fd));
    ready.push_back(std::move(fd));
  }
  wait_ready(ready);
}

Connections::~Connections() { end_all(pids_); }

}  // namespace acceptq::test
