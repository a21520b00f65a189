// Requests of listeners' SYN queues, which ss and netstat list among the sockets (SYN-RECV).
#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "facts/address.h"
#include "import/pieces.h"

namespace acceptq::imports {

class SynQueues {
 public:
  // A handshake that is not complete, by its local address.
  void add(const facts::IpAddress& address, std::uint16_t port) {
    ++requests_[{address.unmapped(), port}];
  }
  // A socket in another state than LISTEN: the list is of more than listeners.
  void add_other() { others_ = true; }

  // Gives each listener the number of its requests, if `command` (empty: not known) printed sockets
  // in every state. Of a group of SO_REUSEPORT it is not told whose they are.
  void put(std::string_view command, ListenerTable& table) const;
  // The same of a table of every socket.
  void put_all(ListenerTable& table) const;

 private:
  std::map<std::pair<facts::IpAddress, std::uint16_t>, std::uint32_t> requests_;
  bool others_ = false;
};

}  // namespace acceptq::imports
