// Dumps of listening sockets through NETLINK_SOCK_DIAG, in the network namespace of the calling
// thread. A dump of LISTEN sockets takes no socket's lock (INET_DIAG_INFO, which may, is not asked
// for) and does not walk established connections.
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
