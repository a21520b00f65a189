// Dumps of listening sockets through NETLINK_SOCK_DIAG, in the network namespace of the calling
// thread. A dump of LISTEN sockets takes no socket's lock and does not walk established
// connections.
//
// INET_DIAG_INFO is asked for because the ULP's name, by which an MPTCP listener is known, comes
// only with it. For LISTEN, tcp_get_info (net/ipv4/tcp.c) returns before it would lock the socket,
// and subflow_get_info (net/mptcp/diag.c) before it locks a subflow or without a lock; only the
// release candidates of 6.8 between b8adb69a7d29 and its fix lock an MPTCP listener there.
#pragma once

#include <vector>

#include "base/result.h"
#include "facts/listener.h"

namespace acceptq::collect::netlink {

struct Dump {
  std::vector<facts::Listener> listeners;  // without namespace and owners
  // Sockets came or went during each of several dumps: the last one's answer may lack some.
  bool interrupted = false;
};

// TCP listeners of `family` (AF_INET or AF_INET6). The netlink socket is closed before it returns:
// an open one would keep a deleted namespace alive. kUnsupported where the kernel has no tcp_diag
// and cannot load it.
[[nodiscard]] Result<Dump> dump_tcp_listeners(int family);

// Unix stream listeners; kUnsupported without unix_diag.
[[nodiscard]] Result<Dump> dump_unix_listeners();

}  // namespace acceptq::collect::netlink
