// Connection tracking's table through NETLINK_NETFILTER, in the network namespace of the calling
// thread.
#pragma once

#include <functional>

#include "base/result.h"
#include "facts/translation.h"

namespace acceptq::collect::netlink {

// Calls visit for each TCP connection of `family` (AF_INET or AF_INET6) that the namespace sends to
// another address or port than its client connected to, with its addresses and ports alone: where
// the answers come from is where the connection goes (nf_nat_setup_info,
// net/netfilter/nf_nat_core.c). Needs CAP_NET_ADMIN there (nfnetlink_rcv,
// net/netfilter/nfnetlink.c). The kernel sends the whole table, and may load nf_conntrack_netlink
// for it.
[[nodiscard]] Status for_each_translated(
    int family, const std::function<void(const facts::Translation&)>& visit);

}  // namespace acceptq::collect::netlink
