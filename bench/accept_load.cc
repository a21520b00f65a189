// As many connections as one listener can accept on this machine: clients on one CPU connect over
// loopback and reset at once, one thread on another accepts and closes. Prints how many were
// accepted a second.
//   accept_load [SECONDS]
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "base/unique_fd.h"

namespace {

using acceptq::UniqueFd;

constexpr int kClients = 2;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// Where the scheduler puts threads decides more than what is measured.
void stay_on(unsigned cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu % std::max(std::thread::hardware_concurrency(), 1U), &set);
  ::sched_setaffinity(0, sizeof set, &set);
}

// Resets, so that no port waits in TIME_WAIT.
void call(std::uint16_t port) {
  const UniqueFd client(::socket(AF_INET, SOCK_STREAM, 0));
  const linger reset{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  // One whose SYN was refused ends, too, once nobody accepts any more.
  const timeval most{.tv_sec = 1, .tv_usec = 0};
  ::setsockopt(client.get(), SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
  const sockaddr_in address = loopback(port);
  ::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 2;  // NOLINT(cert-err34-c): by hand
  // Never asleep in accept(): waking up costs more than the handshake, and comes and goes.
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      ::listen(listener.get(), 4096) != 0 ||
      ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::perror("accept_load");
    return 1;
  }
  const std::uint16_t port = ntohs(address.sin_port);
  std::atomic<bool> stop = false;
  std::array<std::thread, kClients> clients;
  for (std::thread& client : clients) {
    client = std::thread([&] {
      stay_on(1);
      while (!stop) call(port);
    });
  }
  stay_on(0);
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t accepted = 0;
  std::chrono::duration<double> elapsed{};
  while (elapsed.count() < seconds) {
    const UniqueFd connection(::accept(listener.get(), nullptr, nullptr));
    if (connection.valid()) ++accepted;
    elapsed = std::chrono::steady_clock::now() - begin;
  }
  stop = true;
  for (std::thread& client : clients) client.join();
  std::printf("%.0f\n", static_cast<double>(accepted) / elapsed.count());
  return 0;
}
