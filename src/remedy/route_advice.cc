#include "remedy/route_advice.h"

#include <fmt/format.h>

#include "diagnose/routes_back.h"
#include "remedy/inside.h"

namespace acceptq::remedy {
namespace {

using diagnose::Remedy;
using facts::RouteBack;

std::string ip_inside(const facts::Namespace* ns, const facts::Process* owner, bool is_v6) {
  return into_namespace(ns, owner) + (is_v6 ? "ip -6 " : "ip ");
}

}  // namespace

std::vector<Remedy> route_remedies(const std::vector<facts::RefusedClient>& clients,
                                   const facts::Namespace* ns, const facts::Process* owner) {
  std::vector<Remedy> remedies;
  const auto missing = diagnose::clients_by_route(clients, RouteBack::kNone);
  if (!missing.empty()) {
    const facts::IpAddress& client = missing.front();
    remedies.push_back(
        {.form = "inspect",
         .summary = fmt::format("Give the listener's network namespace a route back to {}, or "
                                "filter such SYNs if these are no clients of yours.",
                                diagnose::first_of(missing)),
         .content = fmt::format("{}route get {}", ip_inside(ns, owner, client.is_v6()),
                                client.to_string()),
         .takes_effect = "now"});
  }
  for (const auto route : {RouteBack::kUnreachable, RouteBack::kBlackhole, RouteBack::kProhibit}) {
    const auto shut_out = diagnose::clients_by_route(clients, route);
    if (shut_out.empty()) continue;
    remedies.push_back(
        {.form = "inspect",
         .summary = fmt::format(
             "Find the route or rule of type \"{}\" that shuts out {}; remove it unless that is "
             "meant.",
             facts::route_name(route), diagnose::first_of(shut_out)),
         .content =
             fmt::format("{0}route show table all type {1}\n{0}rule show",
                         ip_inside(ns, owner, shut_out.front().is_v6()), facts::route_name(route)),
         .takes_effect = "now"});
  }
  if (remedies.empty() && !diagnose::clients_by_route(clients, RouteBack::kFound).empty()) {
    remedies.push_back({.form = "cause",
                        .summary = "Look at the memory of the host, at the log of the security "
                                   "module, and at routing rules for marks or users (ip rule "
                                   "show): there is a route back otherwise.",
                        .takes_effect = "now"});
  }
  return remedies;
}

}  // namespace acceptq::remedy
