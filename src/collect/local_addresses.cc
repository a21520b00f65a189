#include "collect/local_addresses.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "collect/netns/enter.h"

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
  std::vector<netns::Handle> handles;
  for (const NetnsId id : namespaces) {
    if (auto handle = scanner.entrance(id)) handles.push_back(std::move(*handle));
  }
  std::vector<std::set<facts::IpAddress>> found(handles.size());
  netns::for_each_namespace(handles, 1, [&](std::size_t index, const Status& entered) {
    if (entered) found[index] = own_addresses();
  });
  std::map<NetnsId, std::set<facts::IpAddress>> addresses;
  for (std::size_t i = 0; i < handles.size(); ++i) {
    addresses.emplace(handles[i].id, std::move(found[i]));
  }
  return addresses;
}

}  // namespace acceptq::collect
