// Lookups in the routing tables through NETLINK_ROUTE, in the network namespace of the calling
// thread.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "facts/address.h"
#include "facts/ledger.h"

namespace acceptq::collect::netlink {

// What a lookup's error says of the route: fib_props of net/ipv4/fib_semantics.c,
// ip6_rt_type_to_error() of net/ipv6/route.c. Nothing for one that speaks of no route.
[[nodiscard]] std::optional<facts::RouteBack> route_by_error(int error);

// The route that an answer by TCP from `from` to `to` takes, as inet_csk_route_req() would look it
// up but for the client's port, marks and the socket's user. `from` unspecified: wherever;
// `ifindex` 0: by any interface.
[[nodiscard]] Result<facts::RouteBack> look_up_route(const facts::IpAddress& to,
                                                     const facts::IpAddress& from,
                                                     std::uint16_t from_port,
                                                     std::uint32_t ifindex);

}  // namespace acceptq::collect::netlink
