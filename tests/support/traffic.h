// Listeners and clients of a test's own.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace acceptq::test {

// A listening socket on `address` ("127.0.0.1" or "::1"); port 0 lets the kernel choose. Aborts the
// test program on failure. Made in the namespace of the calling thread.
[[nodiscard]] UniqueFd listen_tcp(const std::string& address, std::uint16_t port, int backlog);
[[nodiscard]] UniqueFd listen_unix(const std::string& path, int backlog);

// Connections that wait in its accept queue (tcpi_unacked of a listening socket is sk_ack_backlog).
[[nodiscard]] std::uint32_t waiting_connections(const UniqueFd& listener);

// `count` connection attempts that nobody waits for: non-blocking, kept open by the result.
[[nodiscard]] std::vector<UniqueFd> connect_many(const std::string& address, std::uint16_t port,
                                                 int count);
[[nodiscard]] std::vector<UniqueFd> connect_many_unix(const std::string& path, int count);

// New connection attempts all the time, until its end, in the network namespace `netns_fd`: what a
// listener refuses then does not depend on how often a client's kernel repeats a SYN.
class SteadyClients {
 public:
  SteadyClients(int netns_fd, std::string address, std::uint16_t port);

 private:
  std::jthread thread_;  // stops and ends with the object
};

// Asks `condition` every 20 ms until it holds, at most `seconds`. A bound, not an expectation.
[[nodiscard]] bool eventually(const std::function<bool()>& condition, double seconds = 20);

}  // namespace acceptq::test
