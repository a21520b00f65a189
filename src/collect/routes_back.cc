#include "collect/routes_back.h"

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "collect/in_namespaces.h"
#include "collect/netlink/route.h"

namespace acceptq::collect {
namespace {

// Addresses of one link mean nothing without the interface that the packet came in by.
bool is_link_local(const facts::IpAddress& address) {
  constexpr std::uint8_t kFirst = 0xfe;
  constexpr std::uint8_t kSecond = 0x80;
  constexpr std::uint8_t kMask = 0xc0;
  return address.is_v6() && address.bytes()[0] == kFirst && (address.bytes()[1] & kMask) == kSecond;
}

void look_up(facts::Ledger& ledger) {
  for (facts::RefusedClient& client : ledger.clients) {
    if (ledger.ifindex == 0 && is_link_local(client.address)) continue;
    const auto route =
        netlink::look_up_route(client.address, ledger.address, ledger.port, ledger.ifindex);
    if (route) client.route = *route;
  }
}

}  // namespace

void look_up_routes_back(const Scanner& scanner, facts::Observation& observation) {
  std::map<NetnsId, std::vector<facts::Ledger*>> concerned;
  std::set<NetnsId> namespaces;
  for (facts::Ledger& ledger : observation.ledgers) {
    if (facts::refused_otherwise(ledger) == 0) continue;
    concerned[ledger.netns].push_back(&ledger);
    namespaces.insert(ledger.netns);
  }
  in_namespaces(scanner, namespaces, [&](NetnsId id) {
    for (facts::Ledger* ledger : concerned.at(id)) look_up(*ledger);
  });
}

}  // namespace acceptq::collect
