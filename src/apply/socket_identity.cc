#include "apply/socket_identity.h"

#include <netinet/in.h>
#include <sys/socket.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

namespace acceptq::apply {

SocketMeant meant_by(const facts::Listener& listener, std::optional<std::uint64_t> netns_cookie) {
  return {.mptcp = listener.mptcp,
          .cookie = listener.cookie,
          .inode = listener.inode,
          .address = listener.address,
          .port = listener.port,
          .netns_cookie = netns_cookie};
}

Difference difference(const SocketMeant& meant, const SocketSeen& seen) {
  const bool ip = seen.domain == AF_INET || seen.domain == AF_INET6;
  const int protocol = meant.mptcp ? IPPROTO_MPTCP : IPPROTO_TCP;
  if (!ip || seen.type != SOCK_STREAM || seen.protocol != protocol) return Difference::kNotTcp;
  if (meant.netns_cookie && seen.netns_cookie && *meant.netns_cookie != *seen.netns_cookie) {
    return Difference::kNamespace;
  }
  const bool cookie_known = !meant.mptcp && meant.cookie.value() != 0;
  if (seen.inode != meant.inode || (cookie_known && seen.cookie != meant.cookie)) {
    return Difference::kSocket;
  }
  if (!seen.listening) return Difference::kNotListening;
  // The wildcards of IPv4 and IPv6 are two addresses; a mapped one is the IPv4 address.
  if (seen.address.unmapped() != meant.address.unmapped() || seen.port != meant.port) {
    return Difference::kAddress;
  }
  return Difference::kNone;
}

const char* to_string(Difference difference) {
  switch (difference) {
    case Difference::kNone:
      return "it is the same socket";
    case Difference::kNotTcp:
      return "it is no TCP socket by now";
    case Difference::kNotListening:
      return "it no longer listens";
    case Difference::kSocket:
      return "it is another socket by now";
    case Difference::kAddress:
      return "it has another address by now";
    case Difference::kNamespace:
      return "it belongs to another network namespace";
  }
  return "";
}

}  // namespace acceptq::apply
