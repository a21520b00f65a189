#include "collect/routes_back.h"

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "collect/netlink/route.h"
#include "collect/netns/enter.h"

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
  for (facts::Ledger& ledger : observation.ledgers) {
    if (facts::refused_otherwise(ledger) > 0) concerned[ledger.netns].push_back(&ledger);
  }
  std::vector<netns::Handle> handles;
  for (const auto& [id, ledgers] : concerned) {
    if (auto handle = scanner.entrance(id)) handles.push_back(std::move(*handle));
  }
  netns::for_each_namespace(handles, 1, [&](std::size_t index, const Status& entered) {
    if (!entered) return;
    for (facts::Ledger* ledger : concerned.at(handles[index].id)) look_up(*ledger);
  });
}

}  // namespace acceptq::collect
