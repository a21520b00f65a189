#include "diagnose/routes_back.h"

#include <fmt/format.h>

#include "base/text.h"

namespace acceptq::diagnose {

using facts::RouteBack;

std::vector<facts::IpAddress> clients_by_route(const std::vector<facts::RefusedClient>& clients,
                                               RouteBack route) {
  std::vector<facts::IpAddress> addresses;
  for (const facts::RefusedClient& client : clients) {
    if (client.route == route) addresses.push_back(client.address);
  }
  return addresses;
}

std::string first_of(const std::vector<facts::IpAddress>& addresses) {
  std::string text = addresses.front().to_string();
  if (addresses.size() > 1) {
    text += " and " + counted(addresses.size() - 1, "more address", "more addresses");
  }
  return text;
}

RoutesBack routes_back(const std::vector<facts::RefusedClient>& clients) {
  RoutesBack routes;
  const auto say = [&](RouteBack route, const char* what) {
    const auto addresses = clients_by_route(clients, route);
    if (addresses.empty()) return;
    routes.text +=
        fmt::format("{}{} back to {}", routes.text.empty() ? "" : ", ", what, first_of(addresses));
  };
  say(RouteBack::kNone, "no route");
  say(RouteBack::kUnreachable, "an \"unreachable\" route");
  say(RouteBack::kBlackhole, "a \"blackhole\" route");
  say(RouteBack::kProhibit, "a \"prohibit\" route");
  routes.refuse = !routes.text.empty();
  if (!routes.refuse) say(RouteBack::kFound, "a route");
  return routes;
}

}  // namespace acceptq::diagnose
