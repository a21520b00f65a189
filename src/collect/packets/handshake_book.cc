#include "collect/packets/handshake_book.h"

#include <algorithm>
#include <bit>

namespace acceptq::collect::packets {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::int64_t kSameNs = 100'000'000;

bool holds(const auto& values, const auto& value) {
  return std::ranges::find(values, value) != values.end();
}

void add_client(const facts::IpAddress& address, std::uint64_t packets, Tally& tally) {
  facts::RefusedClient& client = tally.clients[address];
  client.address = address;
  client.prefix_bits = address.is_v6() ? 128 : 32;
  client.packets += packets;
  ++client.attempts;
}

}  // namespace

void HandshakeBook::add(const HandshakePacket& packet) {
  const auto is_ours = [this](const facts::IpAddress& address) {
    return options_.addresses.empty() || holds(options_.addresses, address);
  };
  const bool to_server =
      holds(options_.ports, packet.destination_port) && is_ours(packet.destination);
  if (to_server) {
    const Key key{.client = packet.source,
                  .client_port = packet.source_port,
                  .address = packet.destination,
                  .port = packet.destination_port};
    if (packet.syn && !packet.ack) return add_syn(key, packet);
    const auto known = attempts_.find(key);
    if (known == attempts_.end() || packet.syn || packet.rst || !packet.ack) return;
    Attempt& attempt = known->second;
    if (attempt.synack_ns != 0 && attempt.acked_ns == 0) attempt.acked_ns = packet.at_ns;
    return;
  }
  if (!holds(options_.ports, packet.source_port) || !is_ours(packet.source)) return;
  const Key key{.client = packet.destination,
                .client_port = packet.destination_port,
                .address = packet.source,
                .port = packet.source_port};
  const auto known = attempts_.find(key);
  if (known == attempts_.end()) return;
  if (packet.syn && packet.ack) {
    add_synack(known->second, packet);
  } else if (packet.rst && known->second.acked_ns != 0) {
    known->second.reset = true;
  } else if (packet.rst && known->second.synacks == 0) {
    known->second.turned_away = true;
  }
}

void HandshakeBook::add_syn(const Key& key, const HandshakePacket& packet) {
  const auto known = attempts_.find(key);
  if (known != attempts_.end() && known->second.isn == packet.sequence) {
    Attempt& attempt = known->second;
    if (packet.at_ns - attempt.syn_ns < kSameNs) return;
    if (attempt.synacks == 0) ++attempt.unanswered;
    ++attempt.syns;
    attempt.syn_ns = packet.at_ns;
    return;
  }
  if (known != attempts_.end()) {
    settle(key, known->second, packet.at_ns, settled_);
    attempts_.erase(known);
  }
  if (attempts_.size() >= options_.most_attempts) make_room();
  attempts_[key] = {
      .isn = packet.sequence, .first_ns = packet.at_ns, .syn_ns = packet.at_ns, .syns = 1};
}

void HandshakeBook::add_synack(Attempt& attempt, const HandshakePacket& packet) {
  if (packet.acknowledged != attempt.isn + 1) return;
  if (attempt.synack_ns != 0 && packet.at_ns - attempt.synack_ns < kSameNs) return;
  ++attempt.synacks;
  attempt.synack_ns = packet.at_ns;
  // The server has not taken the final ACK that the client has sent.
  if (attempt.acked_ns != 0) ++attempt.unheard;
}

// Half of them go, the oldest: what is long over, mostly.
void HandshakeBook::make_room() {
  std::vector<std::int64_t> times;
  times.reserve(attempts_.size());
  for (const auto& [key, attempt] : attempts_) times.push_back(attempt.syn_ns);
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::ranges::nth_element(times, middle);
  const std::int64_t limit = *middle;
  for (auto it = attempts_.begin(); it != attempts_.end();) {
    const Attempt& attempt = it->second;
    if (attempt.syn_ns > limit) {
      ++it;
      continue;
    }
    const bool is_over = attempt.acked_ns != 0;
    if (!is_over) ++forgotten_;
    settle(it->first, attempt, limit + kAnswerNs, settled_);
    it = attempts_.erase(it);
  }
}

void HandshakeBook::settle(
    const Key& key, const Attempt& attempt, std::int64_t now_ns,
    std::map<std::pair<facts::IpAddress, std::uint16_t>, Tally>& tallies) const {
  Tally& tally = tallies[{key.address, key.port}];
  tally.address = key.address;
  tally.port = key.port;
  const bool waits_in_vain =
      attempt.synacks == 0 && !attempt.turned_away && now_ns - attempt.syn_ns >= kAnswerNs;
  const std::uint64_t unanswered = attempt.unanswered + (waits_in_vain ? 1 : 0);
  tally.syns += attempt.syns;
  tally.synacks += attempt.synacks > 0 ? 1 : 0;
  tally.synacks_repeated += attempt.synacks > 0 ? attempt.synacks - 1 : 0;
  tally.unanswered_syns += unanswered;
  tally.unheard_acks += attempt.unheard;
  tally.resets += attempt.reset ? 1 : 0;
  const std::uint64_t refused = unanswered + attempt.unheard;
  if (refused == 0) return;
  ++tally.attempts_refused;
  add_client(key.client, refused, tally);
  if (attempt.acked_ns != 0 && attempt.unheard == 0) {
    ++tally.attempts_recovered;
    const auto seconds =
        static_cast<std::uint64_t>((attempt.acked_ns - attempt.first_ns) / kNsPerSecond);
    ++tally.delay_s[std::bit_floor(seconds) * 2 + (seconds == 0 ? 1 : 0)];
    return;
  }
  // As bpf::gave_up: twice the time in which a client repeats a SYN.
  constexpr std::uint32_t kMostDoublings = 5;
  const std::uint32_t doublings = std::min(attempt.syns - 1, kMostDoublings);
  if (attempt.synacks == 0 && !attempt.turned_away &&
      now_ns - attempt.syn_ns > 2 * (kNsPerSecond << doublings)) {
    ++tally.gave_up;
  }
}

std::vector<Tally> HandshakeBook::tallies(std::int64_t now_ns) const {
  auto tallies = settled_;
  for (const auto& [key, attempt] : attempts_) settle(key, attempt, now_ns, tallies);
  std::vector<Tally> list;
  list.reserve(tallies.size());
  for (auto& [endpoint, tally] : tallies) list.push_back(std::move(tally));
  return list;
}

}  // namespace acceptq::collect::packets
