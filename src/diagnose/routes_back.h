// The ways back to refused clients, in words.
#pragma once

#include <string>
#include <vector>

#include "facts/ledger.h"

namespace acceptq::diagnose {

// Those to which the lookup of a route gave this, in their order.
[[nodiscard]] std::vector<facts::IpAddress> clients_by_route(
    const std::vector<facts::RefusedClient>& clients, facts::RouteBack route);

// "10.9.0.1", "10.9.0.1 and 9 more addresses". At least one.
[[nodiscard]] std::string first_of(const std::vector<facts::IpAddress>& addresses);

// What the lookups gave.
struct RoutesBack {
  std::string text;     // "no route back to 10.9.0.1"; empty: nothing was looked up
  bool refuse = false;  // there is none to some, or one that lets nothing through
};
[[nodiscard]] RoutesBack routes_back(const std::vector<facts::RefusedClient>& clients);

}  // namespace acceptq::diagnose
