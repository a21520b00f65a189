// Addresses that clients connect to and that are no listener's.
#pragma once

#include <cstdint>
#include <optional>

#include "base/units.h"
#include "facts/address.h"

namespace acceptq::facts {

// Where connection tracking sends the clients of an address: REDIRECT and DNAT, by iptables,
// nftables or kube-proxy.
struct Translation {
  NetnsId netns;  // in which it is done
  IpAddress address;
  std::uint16_t port = 0;
  IpAddress to_address;
  std::uint16_t to_port = 0;
  std::optional<NetnsId> to_netns;  // whose address that is; empty: of none that was seen
  std::uint64_t connections = 0;    // in the table

  friend bool operator==(const Translation&, const Translation&) = default;
};

}  // namespace acceptq::facts
