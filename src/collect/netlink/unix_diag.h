// From sock_diag's answer about one Unix socket to a Listener. Pure: bytes in, facts out.
//
// For a LISTEN socket UNIX_DIAG_RQLEN's rqueue is the number of connections that wait (each is one
// skb on the listener's receive queue) and wqueue is sk_max_ack_backlog (net/unix/diag.c,
// sk_diag_show_rqlen). connect() waits, or fails with EAGAIN, when rqueue > wqueue
// (net/unix/af_unix.c, unix_recvq_full); nothing counts it.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "base/result.h"
#include "facts/listener.h"

namespace acceptq::collect::netlink {

// Nothing for a socket that is no stream listener. An abstract name is shown with '@' for its
// leading NUL and for every NUL inside, as /proc/net/unix does. kMalformed where a length does not
// fit.
[[nodiscard]] Result<std::optional<facts::Listener>> parse_unix_diag(
    std::span<const std::byte> payload);

}  // namespace acceptq::collect::netlink
