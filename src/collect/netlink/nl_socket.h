// libnl's sockets, which end with their owner.
#pragma once

#include <netlink/socket.h>

#include <memory>

namespace acceptq::collect::netlink {

struct FreeSocket {
  void operator()(nl_sock* socket) const { nl_socket_free(socket); }
};
using NlSocket = std::unique_ptr<nl_sock, FreeSocket>;

}  // namespace acceptq::collect::netlink
