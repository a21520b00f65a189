// Whether a descriptor is the listening socket that is meant. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "base/units.h"
#include "facts/address.h"
#include "facts/listener.h"

namespace acceptq::apply {

// What the descriptor itself tells, by getsockopt(), fstat() and getsockname().
struct SocketSeen {
  int domain = 0;    // SO_DOMAIN
  int type = 0;      // SO_TYPE
  int protocol = 0;  // SO_PROTOCOL
  bool listening = false;
  SocketCookie cookie;
  SocketInode inode;
  facts::IpAddress address;
  std::uint16_t port = 0;
  std::optional<std::uint64_t> netns_cookie;  // Linux 5.14
};

// What a scan saw of the listener.
struct SocketMeant {
  bool mptcp = false;
  SocketCookie cookie;  // 0: not known
  SocketInode inode;
  facts::IpAddress address;
  std::uint16_t port = 0;
  std::optional<std::uint64_t> netns_cookie;  // of its namespace
};

[[nodiscard]] SocketMeant meant_by(const facts::Listener& listener,
                                   std::optional<std::uint64_t> netns_cookie);

// The first thing in which they differ.
enum class Difference { kNone, kNotTcp, kNotListening, kSocket, kAddress, kNamespace };

// By the cookie, which no two sockets of one boot share. An MPTCP listener's is not compared: a
// scan shows that of the TCP socket below it, the descriptor its own (SO_COOKIE is
// sock_gen_cookie() of the socket asked, net/core/sock.c). Its inode is the same in both, and is
// compared for all.
[[nodiscard]] Difference difference(const SocketMeant& meant, const SocketSeen& seen);

// "it is another socket by now".
[[nodiscard]] const char* to_string(Difference difference);

}  // namespace acceptq::apply
