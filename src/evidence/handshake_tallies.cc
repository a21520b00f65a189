// What handshakes come to: of each attempt that ended, or as it is now, its part in the tally of
// its server.
#include <algorithm>
#include <bit>

#include "evidence/handshakes.h"
#include "facts/retries.h"

namespace acceptq::evidence {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

// As systems send them: no router has passed this on.
bool is_first_hop(std::uint8_t ttl) { return ttl == 64 || ttl == 128 || ttl == 255; }

// Time tells who is near where one of the two waits is mostly the network's.
void add_by_time(std::int64_t for_synack, std::int64_t for_ack, Vantage& vantage) {
  constexpr std::int64_t kFarNs = 100'000;
  constexpr std::int64_t kTimes = 5;
  if (for_synack < 0 || for_ack < 0) return;
  if (for_ack > kFarNs && for_ack > kTimes * for_synack) ++vantage.at_server;
  if (for_synack > kFarNs && for_synack > kTimes * for_ack) ++vantage.at_client;
}

// Where the first SYN and its answer were seen.
void add_vantage(std::uint8_t syn_ttl, std::uint8_t lowest, std::uint8_t answer_ttl, bool in,
                 bool out, std::int64_t for_synack, std::int64_t for_ack, Vantage& vantage) {
  if (in && out) {
    // A host that forwards or bridges.
    ++vantage.between;
    return;
  }
  if (in || out) {
    ++(in ? vantage.at_server : vantage.at_client);
    return;
  }
  if (lowest < syn_ttl) {
    ++vantage.between;
    return;
  }
  const bool far_client = syn_ttl != 0 && !is_first_hop(syn_ttl);
  if (far_client) ++vantage.not_client;
  if (syn_ttl != 0 && answer_ttl != 0) {
    const bool far_server = !is_first_hop(answer_ttl);
    if (far_client && far_server) ++vantage.between;
    if (far_client && !far_server) ++vantage.at_server;
    if (!far_client && far_server) ++vantage.at_client;
    if (far_client || far_server) return;
  }
  add_by_time(for_synack, for_ack, vantage);
}

}  // namespace

Vantage& Vantage::operator+=(const Vantage& others) {
  at_client += others.at_client;
  at_server += others.at_server;
  between += others.between;
  at_both += others.at_both;
  not_client += others.not_client;
  return *this;
}

void Handshakes::add_client(const Attempt& attempt, std::uint64_t packets, Tally& tally,
                            Settled& settled) const {
  const facts::IpAddress address = client_of(attempt).address;
  if (!tally.clients.contains(address)) {
    if (tally.clients.size() >= options_.most_clients ||
        settled.clients >= options_.most_clients_in_all) {
      tally.clients_left_out = true;
      return;
    }
    ++settled.clients;
  }
  facts::RefusedClient& client = tally.clients[address];
  client.address = address;
  client.prefix_bits = address.is_v6() ? 128 : 32;
  client.packets += packets;
  ++client.attempts;
}

Endpoint Handshakes::endpoint_of(const Attempt& attempt) const {
  return server_of(attempt.alias != FlatIndex::kNone ? attempts_[attempt.alias] : attempt);
}

Tally* Handshakes::tally_of(const Endpoint& endpoint, Settled& settled) const {
  const auto known = settled.tallies.find(endpoint);
  if (known != settled.tallies.end()) return &known->second;
  if (settled.tallies.size() >= options_.most_endpoints) return nullptr;
  Tally& tally = settled.tallies[endpoint];
  tally.endpoint = endpoint;
  tally.course.begin_ns = begin_ns_.value_or(0);
  return &tally;
}

void Handshakes::note(const Attempt& attempt, std::int64_t at_ns,
                      std::uint64_t facts::CoursePart::* what) {
  Tally* tally = tally_of(endpoint_of(attempt), settled_);
  if (tally != nullptr) facts::add_to_course(at_ns, what, tally->course);
}

void Handshakes::settle(const Attempt& attempt, std::int64_t now_ns, Settled& settled) const {
  using facts::CoursePart;
  const Endpoint endpoint = endpoint_of(attempt);
  Tally* const known = tally_of(endpoint, settled);
  if (known == nullptr) {
    ++settled.left_out;
    return;
  }
  Tally& tally = *known;
  if (const Endpoint before = server_of(attempt); before != endpoint) tally.translated = before;
  ++tally.attempts;
  facts::add_to_course(attempt.first_ns, &CoursePart::attempts, tally.course);
  tally.syn_packets += attempt.syns;
  tally.synack_packets += attempt.synacks > 0 ? 1 : 0;
  tally.synacks_repeated += attempt.synacks > 0 ? attempt.synacks - 1 : 0;
  tally.unheard_acks += attempt.unheard;
  tally.unheard_with_data += attempt.unheard_with_data;
  tally.attempts_unheard += attempt.unheard > 0 ? 1 : 0;
  tally.resets += attempt.reset ? 1 : 0;
  tally.turned_away += attempt.turned_away ? 1 : 0;
  tally.answers_unseen += attempt.answer_unseen ? 1 : 0;
  tally.repeated_evenly += attempt.repeated_evenly ? 1 : 0;
  tally.repeated_doubling += attempt.repeated_doubling ? 1 : 0;
  const bool waits = !attempt.answered();
  // A client repeats its SYN after at most twice the time between the two before.
  const bool syns_alone = options_.may_be_filtered && has_syns_alone();
  const bool may_be_answered =
      syns_alone && (attempt.unanswered == 0 ||
                     now_ns - attempt.syn_ns > 2 * attempt.syn_gap_ns + kNsPerSecond / 2);
  const bool in_vain = waits && !syns_alone && now_ns - attempt.syn_ns >= options_.answer_ns;
  const std::uint64_t unanswered = attempt.unanswered + (in_vain ? 1 : 0);
  tally.unanswered_syns += unanswered;
  // Those before it were noted as they were repeated.
  if (in_vain) facts::add_to_course(attempt.syn_ns, &CoursePart::unanswered, tally.course);
  tally.attempts_unanswered += unanswered > 0 ? 1 : 0;
  if (waits && !may_be_answered) {
    tally.never_answered += unanswered > 0 ? 1 : 0;
    tally.pending += unanswered == 0 ? 1 : 0;
  }
  const bool is_acked = attempt.acked_ns != 0;
  const bool is_through = is_acked && (attempt.unheard == 0 || attempt.alive_ns != 0);
  tally.completed += is_through ? 1 : 0;
  const std::int64_t through_ns = attempt.unheard > 0 ? attempt.alive_ns : attempt.acked_ns;
  if (is_through && through_ns - attempt.first_ns >= kNsPerSecond) {
    facts::add_to_course(attempt.first_ns, &CoursePart::slow, tally.course);
  }
  if (attempt.synacks > 0 && !is_acked && !attempt.client_reset && !attempt.turned_away) {
    const std::int64_t seen_for = now_ns - attempt.first_synack_ns;
    constexpr std::int64_t kLongNs = 3 * kNsPerSecond;
    tally.half_open += seen_for >= kNsPerSecond ? 1 : 0;
    tally.pending += seen_for >= kNsPerSecond ? 0 : 1;
    tally.pending_answered += seen_for >= kNsPerSecond ? 0 : 1;
    tally.half_open_long += seen_for >= kLongNs ? 1 : 0;
    tally.half_open_silent += seen_for >= kLongNs && attempt.synacks == 1 ? 1 : 0;
  }
  const bool timed = attempt.synacks > 0 && attempt.syns == 1 && is_acked;
  const facts::IpAddress client = client_of(attempt).address;
  if (client.is_loopback() || client == endpoint.address) {
    ++tally.vantage.at_both;
  } else {
    add_vantage(attempt.syn_ttl, attempt.syn_ttl_low, attempt.answer_ttl, attempt.syn_in,
                attempt.syn_out, timed ? attempt.first_synack_ns - attempt.first_ns : -1,
                timed ? attempt.acked_ns - attempt.first_synack_ns : -1, tally.vantage);
  }
  const std::uint64_t refused = unanswered + attempt.unheard;
  if (refused == 0) return;
  ++tally.attempts_refused;
  add_client(attempt, refused, tally, settled);
  if (is_through) {
    ++tally.attempts_recovered;
    const auto seconds = static_cast<std::uint64_t>(
        std::max<std::int64_t>(0, through_ns - attempt.first_ns) / kNsPerSecond);
    ++tally.delay_s[std::bit_floor(seconds) * 2 + (seconds == 0 ? 1 : 0)];
    return;
  }
  if (in_vain && facts::has_given_up(attempt.first_ns, attempt.syn_ns, now_ns)) ++tally.gave_up;
}

std::vector<Tally> Handshakes::tallies(std::int64_t now_ns) const {
  Settled all = settled_;
  for (const Attempt& attempt : attempts_) {
    if (attempt.in_use && attempt.alias_of == FlatIndex::kNone) settle(attempt, now_ns, all);
  }
  std::vector<Tally> list;
  list.reserve(all.tallies.size());
  for (auto& [endpoint, tally] : all.tallies) {
    // Only something was noted of it before its attempts turned out to be another endpoint's.
    if (tally.attempts == 0) continue;
    tally.course.end_ns = now_ns;
    list.push_back(std::move(tally));
  }
  return list;
}

}  // namespace acceptq::evidence
