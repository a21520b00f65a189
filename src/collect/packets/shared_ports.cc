#include "collect/packets/shared_ports.h"

#include <algorithm>
#include <map>
#include <string>

namespace acceptq::collect::packets {

std::optional<facts::BlindSpot> shared_ports_unseen(const facts::Snapshot& snapshot, NetnsId netns,
                                                    std::span<const std::uint16_t> ports) {
  struct Group {
    const facts::Listener* first = nullptr;
    std::size_t members = 0;
  };
  std::map<std::string, Group> groups;
  for (const facts::Listener& listener : snapshot.listeners) {
    if (listener.protocol != facts::Protocol::kTcp || listener.closed || listener.netns != netns ||
        std::ranges::find(ports, listener.port) == ports.end()) {
      continue;
    }
    Group& group = groups[facts::reuseport_key(listener)];
    if (group.first == nullptr) group.first = &listener;
    ++group.members;
  }
  std::erase_if(groups, [](const auto& group) { return group.second.members < 2; });
  if (groups.empty()) return std::nullopt;
  const Group& first = groups.begin()->second;
  std::string reason = "SO_REUSEPORT: packets do not tell which of the " +
                       std::to_string(first.members) + " listeners of " +
                       facts::listener_endpoint(*first.first) + " they went to";
  if (groups.size() > 1) {
    reason += " (the same for " + std::to_string(groups.size() - 1) + " more)";
  }
  return facts::BlindSpot{.id = "AQ611",
                          .scope = "netns:" + std::to_string(netns.value()),
                          .reason = std::move(reason),
                          .cost = "their handshakes are not followed"};
}

}  // namespace acceptq::collect::packets
