// From sock_diag's answer about one TCP socket to a Listener. Pure: bytes in, facts out.
//
// What sock_diag says of a LISTEN socket (net/ipv4/inet_diag.c, inet_sk_diag_fill and
// net/ipv4/tcp_diag.c, tcp_diag_get_info): idiag_rqueue is sk_ack_backlog, the length of the accept
// queue; idiag_wqueue is sk_max_ack_backlog, its limit (2.6.24); SKMEMINFO's ninth number is
// sk_drops (filled by listeners from 4.7); CGROUP_ID from 5.8. It does not say how long the SYN
// queue is.
//
// An MPTCP listener appears here as the TCP subflow below it, marked by its ULP: with the inode of
// the descriptor's socket, but a cookie of its own.
#pragma once

#include <cstddef>
#include <span>

#include "base/result.h"
#include "facts/listener.h"

namespace acceptq::collect::netlink {

// `payload` is an inet_diag_msg and its attributes, without the netlink header. kMalformed where a
// length does not fit or the family is none of IP's. Namespace and owners are left empty; unknown
// attributes are passed over.
[[nodiscard]] Result<facts::Listener> parse_inet_diag(std::span<const std::byte> payload);

}  // namespace acceptq::collect::netlink
