#include "evidence/handshakes.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace acceptq::evidence {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::int64_t kSameNs = 100'000'000;
// Longer than the longest time between two packets of one handshake: SYNs are repeated up to 64 s
// after the one before (tcp_syn_retries 6), SYN-ACKs up to 32 s.
constexpr std::int64_t kOverNs = 130 * kNsPerSecond;
constexpr std::int64_t kSweepNs = 16 * kNsPerSecond;

bool holds(const auto& values, const auto& value) {
  return std::ranges::find(values, value) != values.end();
}

bool is_close(std::int64_t a, std::int64_t b) { return std::abs(a - b) < kSameNs; }

std::uint64_t mix(std::uint64_t value) {
  value ^= value >> 32U;
  value *= 0xd6e8feb86659fd93U;
  value ^= value >> 32U;
  return value;
}

// Copies of a known length are a load each.
std::uint64_t hash_of(const facts::IpAddress& address) {
  const std::uint8_t* bytes = address.bytes().data();
  if (!address.is_v6()) {
    std::uint32_t word = 0;
    std::memcpy(&word, bytes, sizeof word);
    return word;
  }
  std::uint64_t words[2] = {};
  std::memcpy(words, bytes, sizeof words);
  return mix(words[0]) + words[1];
}

}  // namespace

Handshakes::Key Handshakes::key_of(const TcpPacket& packet, bool& source_is_low) {
  source_is_low = packet.source_port != packet.destination_port
                      ? packet.source_port < packet.destination_port
                      : packet.source <= packet.destination;
  return source_is_low
             ? Key{packet.source, packet.destination, packet.source_port, packet.destination_port}
             : Key{packet.destination, packet.source, packet.destination_port, packet.source_port};
}

std::uint64_t Handshakes::hash_of(const Key& key) {
  const std::uint64_t ports = std::uint64_t{key.low_port} << 16U | key.high_port;
  return mix(evidence::hash_of(key.low) * 31 + evidence::hash_of(key.high) + mix(ports));
}

std::uint64_t Handshakes::hash_of_isn(std::uint32_t isn, std::uint16_t port) {
  return mix(mix(isn) + port);
}

Endpoint Handshakes::server_of(const Attempt& attempt) {
  return attempt.client_is_low ? Endpoint{attempt.key.high, attempt.key.high_port}
                               : Endpoint{attempt.key.low, attempt.key.low_port};
}

Endpoint Handshakes::client_of(const Attempt& attempt) {
  return attempt.client_is_low ? Endpoint{attempt.key.low, attempt.key.low_port}
                               : Endpoint{attempt.key.high, attempt.key.high_port};
}

bool Handshakes::is_to_server(const TcpPacket& packet) const {
  return (options_.ports.empty() || holds(options_.ports, packet.destination_port)) &&
         (options_.addresses.empty() || holds(options_.addresses, packet.destination));
}

std::uint32_t Handshakes::find(const Key& key, std::uint64_t hash) const {
  return by_key_.find(hash, [&](std::uint32_t number) { return attempts_[number].key == key; });
}

// Two different packets that share the client's port and its random number within so short a time
// are one, unless IPv4's own number tells them apart: scanners use one of each for all they send.
std::uint32_t Handshakes::find_twin(const TcpPacket& packet) const {
  const std::uint64_t hash = hash_of_isn(packet.sequence, packet.source_port);
  return by_isn_.find(hash, [&](std::uint32_t number) {
    const Attempt& other = attempts_[number];
    return other.isn == packet.sequence && client_of(other).port == packet.source_port &&
           other.ip_id == packet.ip_id && is_close(packet.at_ns, other.syn_ns);
  });
}

void Handshakes::insert(const Attempt& attempt, std::uint64_t hash) {
  std::uint32_t number = 0;
  if (free_.empty()) {
    number = static_cast<std::uint32_t>(attempts_.size());
    attempts_.push_back(attempt);
  } else {
    number = free_.back();
    free_.pop_back();
    attempts_[number] = attempt;
  }
  by_key_.insert(hash, number);
  if (attempt.alias_of == FlatIndex::kNone) {
    by_isn_.insert(hash_of_isn(attempt.isn, client_of(attempt).port), number);
  } else {
    attempts_[number].alias = attempts_[attempt.alias_of].alias;
    attempts_[attempt.alias_of].alias = number;
  }
}

void Handshakes::remove_one(std::uint32_t number) {
  Attempt& attempt = attempts_[number];
  by_key_.erase(hash_of(attempt.key), number);
  if (attempt.alias_of == FlatIndex::kNone) {
    by_isn_.erase(hash_of_isn(attempt.isn, client_of(attempt).port), number);
  }
  attempt.in_use = false;
  free_.push_back(number);
}

void Handshakes::remove(std::uint32_t number) {
  for (std::uint32_t next = attempts_[number].alias; next != FlatIndex::kNone;) {
    const std::uint32_t after = attempts_[next].alias;
    remove_one(next);
    next = after;
  }
  remove_one(number);
}

void Handshakes::settle_and_remove(std::uint32_t number, std::int64_t now_ns) {
  settle(attempts_[number], now_ns, settled_);
  remove(number);
}

void Handshakes::add(const TcpPacket& packet) {
  // A sweep costs as much as there are attempts, and packets pay for it.
  ++since_sweep_;
  if (packet.at_ns - swept_ns_ > kSweepNs && since_sweep_ * 4 > attempts_.size()) {
    sweep(packet.at_ns);
  }
  if (!begin_ns_) begin_ns_ = packet.at_ns;
  bool source_is_low = false;
  const Key key = key_of(packet, source_is_low);
  if (packet.syn && !packet.ack) {
    ++totals_.syns;
    if (is_to_server(packet)) add_syn(key, source_is_low, packet);
    return;
  }
  ++(packet.syn ? totals_.synacks : packet.rst ? totals_.resets : totals_.others);
  if (by_key_.size() == 0) {
    if (packet.syn) ++totals_.synacks_without_syn;
    return;
  }
  std::uint32_t number = find(key, hash_of(key));
  if (number == FlatIndex::kNone) {
    if (packet.syn) ++totals_.synacks_without_syn;
    return;
  }
  const bool from_client = attempts_[number].client_is_low == source_is_low;
  if (attempts_[number].alias_of != FlatIndex::kNone) number = attempts_[number].alias_of;
  Attempt& attempt = attempts_[number];
  attempt.last_ns = packet.at_ns;
  if (from_client) {
    add_from_client(attempt, packet);
  } else if (packet.syn) {
    add_synack(attempt, packet);
  } else if (packet.rst && attempt.acked_ns != 0) {
    if (!attempt.reset) note(attempt, packet.at_ns, &facts::CoursePart::resets);
    attempt.reset = true;
  } else if (packet.rst) {
    if (attempt.synacks > 0) return;
    if (!attempt.turned_away) note(attempt, packet.at_ns, &facts::CoursePart::resets);
    attempt.turned_away = true;
    attempt.answer_ttl = packet.ttl;
  } else if (packet.ack) {
    // Only a connection that the server has sends anything but SYN-ACKs and resets.
    if (attempt.synacks == 0) attempt.answer_unseen = true;
    if (attempt.acked_ns == 0) attempt.acked_ns = packet.at_ns;
    attempt.alive_ns = packet.at_ns;
    note_timestamps(attempt, packet);
    settle_and_remove(number, packet.at_ns);
  }
}

void Handshakes::add_from_client(Attempt& attempt, const TcpPacket& packet) {
  if (packet.syn) return;
  if (packet.rst) {
    if (attempt.acked_ns == 0) attempt.client_reset = true;
    return;
  }
  if (!packet.ack) return;
  // The answer went another way.
  if (attempt.synack_ns == 0) attempt.answer_unseen = true;
  if (attempt.acked_ns == 0) attempt.acked_ns = packet.at_ns;
  const bool is_first =
      packet.is_relative ? packet.sequence == 1 : packet.sequence == attempt.isn + 1;
  if (packet.has_data && is_first && attempt.data_ns == 0) attempt.data_ns = packet.at_ns;
}

void Handshakes::add_syn(const Key& key, bool client_is_low, const TcpPacket& packet) {
  const std::uint64_t hash = hash_of(key);
  std::uint32_t number = find(key, hash);
  if (number != FlatIndex::kNone) {
    if (attempts_[number].alias_of != FlatIndex::kNone) number = attempts_[number].alias_of;
    if (attempts_[number].isn == packet.sequence) return repeat_syn(attempts_[number], packet);
    settle_and_remove(number, packet.at_ns);
  }
  if (attempts_.size() - free_.size() >= options_.most_attempts) make_room(packet.at_ns);
  Attempt attempt{.key = key,
                  .client_is_low = client_is_low,
                  .in_use = true,
                  .syn_in = packet.direction == Direction::kIn,
                  .syn_out = packet.direction == Direction::kOut,
                  .syn_ttl = packet.ttl,
                  .syn_ttl_low = packet.ttl,
                  .isn = packet.sequence,
                  .asked = packet.options,
                  .ip_id = packet.ip_id,
                  .syns = 1,
                  .first_ns = packet.at_ns,
                  .syn_ns = packet.at_ns,
                  .last_ns = packet.at_ns};
  const std::uint32_t twin = find_twin(packet);
  if (twin != FlatIndex::kNone) {
    attempt.alias_of = twin;
    repeat_syn(attempts_[twin], packet);
  }
  insert(attempt, hash);
}

void Handshakes::repeat_syn(Attempt& attempt, const TcpPacket& packet) {
  attempt.last_ns = packet.at_ns;
  if (is_close(packet.at_ns, attempt.syn_ns)) {
    attempt.syn_in |= packet.direction == Direction::kIn;
    attempt.syn_out |= packet.direction == Direction::kOut;
    if (packet.ttl != 0) attempt.syn_ttl_low = std::min(attempt.syn_ttl_low, packet.ttl);
    return;
  }
  const std::int64_t gap = packet.at_ns - attempt.syn_ns;
  if (!attempt.answered()) {
    ++attempt.unanswered;
    note(attempt, attempt.syn_ns, &facts::CoursePart::unanswered);
    // The second gap tells which clients' clock this is: 1 s again where tcp_syn_linear_timeouts
    // holds (tcp_retransmit_timer, Linux 6.5), 2 s before.
    if (attempt.syns == 2) {
      attempt.repeated_evenly = gap > kNsPerSecond * 7 / 10 && gap < kNsPerSecond * 14 / 10;
      attempt.repeated_doubling = gap > kNsPerSecond * 17 / 10 && gap < kNsPerSecond * 25 / 10;
    }
  }
  ++attempt.syns;
  attempt.syn_gap_ns = gap;
  attempt.syn_ns = packet.at_ns;
  attempt.ip_id = packet.ip_id;
  attempt.asked = packet.options;
}

void Handshakes::add_synack(Attempt& attempt, const TcpPacket& packet) {
  if (packet.acknowledged != attempt.isn + 1) return;
  if (attempt.synack_ns != 0 && is_close(packet.at_ns, attempt.synack_ns)) return;
  ++attempt.synacks;
  attempt.synack_ns = packet.at_ns;
  if (attempt.synacks == 1) {
    attempt.first_synack_ns = packet.at_ns;
    attempt.answer_ttl = packet.ttl;
    note_options(attempt, packet);
  }
  // The server has not taken the final ACK that the client has sent.
  if (attempt.acked_ns == 0) return;
  ++attempt.unheard;
  note(attempt, packet.at_ns, &facts::CoursePart::unheard);
  if (attempt.data_ns != 0) ++attempt.unheard_with_data;
}

void Handshakes::note_options(Attempt& attempt, const TcpPacket& answer) {
  if (!answer.options.known || !attempt.asked.known) return;
  attempt.cookie_bits = static_cast<std::int8_t>(cookie_bits(attempt.asked, answer.options));
  attempt.answer_stamp = answer.options.timestamp;
  if (attempt.cookie_bits >= 0) return;
  Tally* const tally = tally_of(endpoint_of(attempt), settled_);
  if (tally != nullptr) add_options(attempt.asked, answer.options, tally->cookies);
}

void Handshakes::note_timestamps(const Attempt& attempt, const TcpPacket& next) {
  if (attempt.cookie_bits < 0 || !next.options.has_timestamp) return;
  Tally* const tally = tally_of(endpoint_of(attempt), settled_);
  if (tally == nullptr) return;
  add_timestamps({.asked_ns = attempt.syn_ns,
                  .answered_ns = attempt.first_synack_ns,
                  .next_ns = next.at_ns,
                  .timestamp = attempt.answer_stamp,
                  .next_timestamp = next.options.timestamp,
                  .cookie_bits = static_cast<std::uint8_t>(attempt.cookie_bits)},
                 tally->cookies);
}

// What is long over goes.
void Handshakes::sweep(std::int64_t now_ns) {
  swept_ns_ = now_ns;
  since_sweep_ = 0;
  for (std::uint32_t number = 0; number < attempts_.size(); ++number) {
    const Attempt& attempt = attempts_[number];
    if (!attempt.in_use || attempt.alias_of != FlatIndex::kNone) continue;
    if (now_ns - attempt.last_ns > kOverNs) settle_and_remove(number, now_ns);
  }
}

// Half of them go, the oldest: what is over, mostly.
void Handshakes::make_room(std::int64_t now_ns) {
  std::vector<std::int64_t> times;
  times.reserve(attempts_.size());
  for (const Attempt& attempt : attempts_) {
    if (attempt.in_use) times.push_back(attempt.syn_ns);
  }
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::ranges::nth_element(times, middle);
  const std::int64_t limit = *middle;
  for (std::uint32_t number = 0; number < attempts_.size(); ++number) {
    const Attempt& attempt = attempts_[number];
    if (!attempt.in_use || attempt.alias_of != FlatIndex::kNone || attempt.syn_ns > limit) continue;
    if (attempt.acked_ns == 0) ++forgotten_;
    settle_and_remove(number, now_ns);
  }
}

}  // namespace acceptq::evidence
