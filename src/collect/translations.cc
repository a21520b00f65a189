#include "collect/translations.h"

#include <netinet/in.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "collect/in_namespaces.h"
#include "collect/local_addresses.h"
#include "collect/netlink/conntrack.h"
#include "collect/netns/sysctls.h"

namespace acceptq::collect {
namespace {

// Address and port that clients connect to, and those that they reach.
using Way = std::tuple<facts::IpAddress, std::uint16_t, facts::IpAddress, std::uint16_t>;
using Ways = std::map<Way, std::uint64_t>;  // with their connections

// More ways than this lead to no listener that one could name.
constexpr std::size_t kMostWays = 256;

bool has_connections() {
  netns::Sysctls sysctls;
  netns::add_conntrack_sysctls(sysctls);
  const auto count = sysctls.find(facts::kConntrackCount);
  return count != sysctls.end() && count->second.value > 0;
}

// Of the calling thread's namespace.
Ways ways_from(const std::set<std::uint16_t>& ports) {
  Ways ways;
  if (!has_connections()) return ways;
  for (const int family : {AF_INET, AF_INET6}) {
    // Without the capability, or the module, there is nothing to tell.
    static_cast<void>(netlink::for_each_translated(family, [&](const facts::Translation& one) {
      if (!ports.contains(one.port)) return;
      const Way way(one.address, one.port, one.to_address, one.to_port);
      if (ways.size() < kMostWays || ways.contains(way)) ++ways[way];
    }));
  }
  return ways;
}

std::set<NetnsId> listening_at(const facts::Snapshot& snapshot, std::uint16_t port) {
  std::set<NetnsId> namespaces;
  for (const facts::Listener& listener : snapshot.listeners) {
    if (facts::listens_on(listener, listener.netns, port)) namespaces.insert(listener.netns);
  }
  return namespaces;
}

}  // namespace

void look_at_translations(const Scanner& scanner, const std::vector<std::uint16_t>& ports,
                          facts::Snapshot& snapshot) {
  std::set<std::uint16_t> asked;
  for (const std::uint16_t port : ports) {
    if (listening_at(snapshot, port).empty()) asked.insert(port);
  }
  if (asked.empty()) return;
  std::set<NetnsId> all;
  for (const facts::Namespace& ns : snapshot.namespaces) all.insert(ns.id);
  std::map<NetnsId, Ways> found;
  in_namespaces(scanner, all, [&](NetnsId id) { found[id] = ways_from(asked); });

  std::set<NetnsId> reached;
  for (const auto& [id, ways] : found) {
    for (const auto& [way, connections] : ways) {
      reached.merge(listening_at(snapshot, std::get<3>(way)));
    }
  }
  const auto addresses = local_addresses(scanner, reached);
  const auto netns_of = [&](NetnsId from, const facts::IpAddress& address) {
    const auto is_local = [&](const auto& own) { return own.second.contains(address); };
    // REDIRECT stays in the namespace, and addresses such as 127.0.0.1 are each one's.
    const auto here = addresses.find(from);
    if (here != addresses.end() && is_local(*here)) return std::optional(from);
    const auto there = std::ranges::find_if(addresses, is_local);
    return there != addresses.end() ? std::optional(there->first) : std::nullopt;
  };
  for (const auto& [id, ways] : found) {
    for (const auto& [way, connections] : ways) {
      const auto& [address, port, to_address, to_port] = way;
      snapshot.translations.push_back({.netns = id,
                                       .address = address,
                                       .port = port,
                                       .to_address = to_address,
                                       .to_port = to_port,
                                       .to_netns = netns_of(id, to_address),
                                       .connections = connections});
    }
  }
}

}  // namespace acceptq::collect
