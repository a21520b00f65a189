#include "collect/packet_sampler.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>

namespace acceptq::collect {

void PacketSampler::see(const facts::Snapshot& latest) {
  if (!tap_) tap_.emplace(tap_choices(latest, scanner_, tapped_));
}

// At a fixed pace, however much comes: the buffer that packets wait in holds a fraction of a second
// of a busy port.
void PacketSampler::tend(std::int64_t now_ns) {
  constexpr std::int64_t kPeriodNs = 20'000'000;
  tap_->take();
  next_ns_ = now_ns + kPeriodNs;
}

void PacketSampler::put(Mark /*from*/, Mark /*to*/, facts::Observation& observation) {
  tap_->take();
  observation.ledgers = tap_->ledgers(observation.after);
  observation.tracing = facts::Source::kPackets;
  std::ranges::move(tap_->blind_spots(observation.before, observation.after),
                    std::back_inserter(observation.after.blind_spots));
}

std::vector<packets::TapChoice> tap_choices(const facts::Snapshot& snapshot, const Scanner& scanner,
                                            const Tapped& tapped) {
  std::map<NetnsId, std::set<std::uint16_t>> ports;
  for (const facts::Listener& listener : snapshot.listeners) {
    if (listener.protocol == facts::Protocol::kTcp && tapped(snapshot, listener)) {
      ports[listener.netns].insert(listener.port);
    }
  }
  std::vector<packets::TapChoice> choices;
  for (const auto& [id, of_namespace] : ports) {
    auto handle = scanner.entrance(id);
    if (!handle) handle = netns::Handle{.id = id};  // it will say that there is no way in
    choices.push_back(
        {.handle = std::move(*handle), .ports = {of_namespace.begin(), of_namespace.end()}});
  }
  return choices;
}

}  // namespace acceptq::collect
