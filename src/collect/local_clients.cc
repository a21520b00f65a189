#include "collect/local_clients.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "collect/bpf/client_iterator.h"
#include "collect/local_addresses.h"

namespace acceptq::collect {
namespace {

using facts::IpAddress;
using facts::Listener;

// The namespace that a packet of the client to its peer arrives in, of those that are known.
std::optional<NetnsId> destination(const bpf::ClientSeen& client,
                                   const AddressesByNamespace& addresses) {
  const auto own = addresses.find(client.netns);
  if (client.peer.is_loopback() || (own != addresses.end() && own->second.contains(client.peer))) {
    return client.netns;
  }
  std::optional<NetnsId> found;
  for (const auto& [id, of_namespace] : addresses) {
    if (!of_namespace.contains(client.peer)) continue;
    if (found) return std::nullopt;
    found = id;
  }
  return found;
}

// Those on the port that would answer: bound to the address itself, else to all.
std::vector<const Listener*> answering(const std::vector<const Listener*>& on_port, NetnsId netns,
                                       const IpAddress& address) {
  std::vector<const Listener*> exact;
  std::vector<const Listener*> wild;
  for (const Listener* listener : on_port) {
    if (listener->netns != netns || !facts::serves_address(*listener, address)) continue;
    (listener->address == address ? exact : wild).push_back(listener);
  }
  return exact.empty() ? wild : exact;
}

// By socket.
std::map<SocketInode, const Listener*> unix_listeners(const facts::Observation& observation) {
  std::map<SocketInode, const Listener*> listeners;
  for (const Listener& listener : observation.after.listeners) {
    if (listener.protocol == facts::Protocol::kUnix) listeners[listener.inode] = &listener;
  }
  return listeners;
}

bool was_looked_at(const facts::Observation& observation, const Listener& listener) {
  return observation.accept_evidence.acceptors.contains(facts::listener_key(listener));
}

}  // namespace

std::map<std::string, std::vector<facts::LocalClient>> clients_by_listener(
    const facts::Observation& observation, const std::vector<bpf::ClientSeen>& clients,
    const AddressesByNamespace& addresses) {
  std::map<std::uint16_t, std::vector<const Listener*>> by_port;
  for (const Listener& listener : observation.after.listeners) {
    if (listener.protocol == facts::Protocol::kTcp) by_port[listener.port].push_back(&listener);
  }
  const std::map<SocketInode, const Listener*> by_inode = unix_listeners(observation);
  std::map<std::string, std::map<Pid, facts::LocalClient>> found;
  const auto add = [&](const Listener& listener, const bpf::ClientSeen& client) {
    if (!was_looked_at(observation, listener)) return;
    facts::LocalClient& known = found[facts::listener_key(listener)][client.pid];
    known.pid = client.pid;
    known.comm = client.comm;
    known.address = client.peer;
    ++(client.connecting ? known.connecting : known.connected);
  };
  for (const bpf::ClientSeen& client : clients) {
    if (client.unix_listener) {
      const auto listener = by_inode.find(*client.unix_listener);
      if (listener != by_inode.end()) add(*listener->second, client);
      continue;
    }
    const std::optional<NetnsId> netns = destination(client, addresses);
    if (!netns) continue;
    for (const Listener* listener : answering(by_port[client.peer_port], *netns, client.peer)) {
      add(*listener, client);
    }
  }
  std::map<std::string, std::vector<facts::LocalClient>> result;
  for (const auto& [key, by_pid] : found) {
    for (const auto& [pid, client] : by_pid) result[key].push_back(client);
  }
  return result;
}

void find_local_clients(const Scanner& scanner, facts::Observation& observation) {
  std::set<std::uint16_t> ports;
  bool with_unix = false;
  for (const Listener& listener : observation.after.listeners) {
    if (!was_looked_at(observation, listener)) continue;
    if (listener.protocol == facts::Protocol::kUnix) {
      with_unix = true;
    } else {
      ports.insert(listener.port);
    }
  }
  if (ports.empty() && !with_unix) return;
  const Result<bpf::ClientsSeen> seen = bpf::find_clients(ports, with_unix);
  if (!seen || seen->clients.empty()) return;
  std::set<NetnsId> namespaces;
  for (const bpf::ClientSeen& client : seen->clients) {
    if (!client.unix_listener) namespaces.insert(client.netns);
  }
  for (const Listener& listener : observation.after.listeners) {
    if (listener.protocol == facts::Protocol::kTcp && ports.contains(listener.port)) {
      namespaces.insert(listener.netns);
    }
  }
  observation.accept_evidence.clients =
      clients_by_listener(observation, seen->clients, local_addresses(scanner, namespaces));
}

}  // namespace acceptq::collect
