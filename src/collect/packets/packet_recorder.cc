#include "collect/packets/packet_recorder.h"

#include <poll.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/text.h"
#include "collect/netns/enter.h"
#include "collect/packets/packet_socket.h"
#include "evidence/tcp_packet.h"

namespace acceptq::collect::packets {
namespace {

struct Place {
  NetnsId id;
  UniqueFd socket;
  std::vector<facts::PacketHeaders> packets;
  std::uint64_t dropped = 0;
  std::optional<Error> error;
};

std::vector<Place> open_places(std::span<const TapChoice> choices) {
  std::vector<Place> places(choices.size());
  std::vector<netns::Handle> handles;
  handles.reserve(choices.size());
  for (const TapChoice& choice : choices) handles.push_back(choice.handle);
  netns::for_each_namespace(handles, 1, [&](std::size_t index, const Status& entered) {
    Place& place = places[index];
    place.id = handles[index].id;
    Result<UniqueFd> socket =
        entered ? open_packet_socket(choices[index].ports) : fail(entered.error());
    if (socket) {
      place.socket = std::move(*socket);
    } else {
      place.error = std::move(socket.error());
    }
  });
  return places;
}

std::vector<facts::BlindSpot> blind_spots(const std::vector<Place>& places, bool is_full) {
  std::vector<facts::BlindSpot> spots;
  for (const Place& place : places) {
    const std::string scope = "netns:" + std::to_string(place.id.value());
    if (place.error) {
      spots.push_back({.id = "AQ612",
                       .scope = scope,
                       .reason = place.error->message(),
                       .cost = "its packets are not in the bundle"});
    }
    if (place.dropped > 0) {
      spots.push_back({.id = "AQ611",
                       .scope = scope,
                       .reason = counted(place.dropped, "packet", "packets") +
                                 " came faster than they could be read",
                       .cost = "they are not in the bundle"});
    }
  }
  if (is_full) {
    spots.push_back({.id = "AQ611",
                     .scope = "host",
                     .reason = "more packets came than a bundle takes",
                     .cost = "its capture is shorter than was asked for"});
  }
  return spots;
}

}  // namespace

Recorded record_packets(std::span<const TapChoice> choices, const RecordLimits& limits,
                        const std::function<bool()>& goes_on) {
  std::vector<Place> places = open_places(choices);
  std::vector<pollfd> sockets;
  for (const Place& place : places) {
    if (place.socket.valid()) sockets.push_back({.fd = place.socket.get(), .events = POLLIN});
  }
  const std::int64_t end = monotonic_ns() + limits.time.count();
  std::size_t count = 0;
  while (!sockets.empty() && count < limits.packets && goes_on()) {
    const std::int64_t left_ms = (end - monotonic_ns()) / 1'000'000;
    if (left_ms <= 0) break;
    constexpr std::int64_t kLongestMs = 100;  // Ctrl-C is looked at as often
    static_cast<void>(
        ::poll(sockets.data(), sockets.size(), static_cast<int>(std::min(left_ms, kLongestMs))));
    for (Place& place : places) {
      if (!place.socket.valid()) continue;
      receive_packets(place.socket.get(), limits.packets - count, [&](const auto& received) {
        const auto headers = evidence::header_lengths(received.bytes);
        if (!headers) return true;
        const std::span kept = received.bytes.first(headers->kept);
        place.packets.push_back(
            {.at_ns = received.realtime_ns != 0 ? received.realtime_ns : realtime_ns(),
             .netns = place.id,
             .interface = static_cast<std::uint32_t>(received.link.sll_ifindex),
             .hardware_type = received.link.sll_hatype,
             .packet_type = received.link.sll_pkttype,
             .bytes = {reinterpret_cast<const char*>(kept.data()), kept.size()},
             .length = headers->packet});
        ++count;
        return true;
      });
      place.dropped += packets_dropped(place.socket.get());
    }
  }
  Recorded recorded{.packets = {}, .blind_spots = blind_spots(places, count >= limits.packets)};
  for (Place& place : places) {
    std::ranges::move(place.packets, std::back_inserter(recorded.packets));
  }
  return recorded;
}

}  // namespace acceptq::collect::packets
