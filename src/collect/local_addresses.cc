#include "collect/local_addresses.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <array>
#include <cstdint>
#include <cstring>

#include "collect/in_namespaces.h"

namespace acceptq::collect {
namespace {

std::set<facts::IpAddress> own_addresses() {
  std::set<facts::IpAddress> addresses;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return addresses;
  for (const ifaddrs* item = list; item != nullptr; item = item->ifa_next) {
    if (item->ifa_addr == nullptr) continue;
    if (item->ifa_addr->sa_family == AF_INET) {
      sockaddr_in v4{};
      std::memcpy(&v4, item->ifa_addr, sizeof v4);
      std::array<std::uint8_t, 4> bytes{};
      std::memcpy(bytes.data(), &v4.sin_addr, bytes.size());
      addresses.insert(facts::IpAddress::v4(bytes));
    } else if (item->ifa_addr->sa_family == AF_INET6) {
      sockaddr_in6 v6{};
      std::memcpy(&v6, item->ifa_addr, sizeof v6);
      std::array<std::uint8_t, 16> bytes{};
      std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
      addresses.insert(facts::IpAddress::v6(bytes));
    }
  }
  ::freeifaddrs(list);
  return addresses;
}

}  // namespace

std::map<NetnsId, std::set<facts::IpAddress>> local_addresses(const Scanner& scanner,
                                                              const std::set<NetnsId>& namespaces) {
  std::map<NetnsId, std::set<facts::IpAddress>> addresses;
  in_namespaces(scanner, namespaces, [&](NetnsId id) { addresses[id] = own_addresses(); });
  return addresses;
}

}  // namespace acceptq::collect
