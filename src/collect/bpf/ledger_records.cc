#include "collect/bpf/ledger_records.h"

#include <sys/socket.h>

#include <cstring>
#include <string>

#include "collect/bpf/ledger_wire.h"

namespace acceptq::collect::bpf {
namespace {

static_assert(std::size_t{AQ_TERMS} == facts::kLedgerTerms);

template <typename Wire>
Result<Wire> copy_of(std::span<const std::byte> bytes, const char* what) {
  // The ring buffer rounds records up to eight bytes.
  if (bytes.size() < sizeof(Wire) || bytes.size() >= sizeof(Wire) + 8) {
    return fail(ErrorCode::kTruncated, std::string(what) + " of " + std::to_string(bytes.size()) +
                                           " bytes, not " + std::to_string(sizeof(Wire)));
  }
  Wire wire;
  std::memcpy(&wire, bytes.data(), sizeof wire);
  return wire;
}

Result<facts::IpAddress> address_of(std::uint32_t family, const aq_u8 (&bytes)[16]) {
  const std::span<const std::uint8_t, 16> address(bytes);
  if (family == AF_INET) return facts::IpAddress::v4(address.first<4>());
  if (family == AF_INET6) return facts::IpAddress::v6(address);
  return fail(ErrorCode::kMalformed,
              "handshake record: unknown address family " + std::to_string(family));
}

// Upper bounds of bucket i: 2^(i+1) for lengths; 1, 2, 4, 8 … s for delays, without end for the
// last.
template <std::size_t kBuckets, typename Bound>
facts::Histogram histogram_of(const aq_u64 (&counts)[kBuckets], const Bound& bound) {
  facts::Histogram histogram;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    if (counts[i] > 0) histogram.push_back({.below = bound(i), .count = counts[i]});
  }
  return histogram;
}

// Four buckets to an octave of 250 ns × 4; see time_bucket() in ledger.bpf.c.
std::uint64_t time_bound_ns(std::size_t bucket) {
  constexpr std::uint64_t kQuarterUs = 250;
  if (bucket == 0) return 4 * kQuarterUs;
  const std::size_t octave = (bucket - 1) / 4;
  const std::size_t quarter = (bucket - 1) % 4;
  return (std::uint64_t{4 + quarter + 1} << octave) * kQuarterUs;
}

Result<LedgerRecord> ledger_of(std::uint64_t sk, const aq_ledger& wire) {
  LedgerRecord record{.id = {.sk = sk, .born_ns = wire.born_ns}, .ledger = {}};
  record.selected = wire.selected != 0;
  facts::Ledger& ledger = record.ledger;
  Result<facts::IpAddress> address = address_of(wire.family, wire.address);
  if (!address) return fail(std::move(address.error()));
  ledger.address = *address;
  ledger.netns = NetnsId(wire.netns);
  if (wire.netns_cookie != 0) ledger.netns_cookie = wire.netns_cookie;
  ledger.port = wire.port;
  ledger.ifindex = wire.ifindex;
  ledger.cookie = SocketCookie(wire.cookie);
  ledger.source = facts::Source::kFunctions;
  ledger.since_ns = static_cast<std::int64_t>(wire.born_ns);
  if (wire.closed_ns != 0) ledger.closed_at_ns = static_cast<std::int64_t>(wire.closed_ns);
  for (std::size_t i = 0; i < facts::kLedgerTerms; ++i) ledger.counts[i] = wire.count[i];
  ledger.longest = QueueLength(wire.longest);
  ledger.syn_longest = wire.syn_longest;
  ledger.depth = histogram_of(wire.depth, [](std::size_t i) { return std::uint64_t{2} << i; });
  ledger.delay_s = histogram_of(wire.delay, [](std::size_t i) { return std::uint64_t{1} << i; });
  ledger.time_in_queue_ns = histogram_of(wire.time_in_queue, time_bound_ns);
  if ((wire.listen_known & 1) != 0) {
    ledger.listen = {
        .requested = {}, .somaxconn = wire.listen_somaxconn, .limit = wire.listen_limit};
    if ((wire.listen_known & 2) != 0) ledger.listen->requested = wire.backlog_requested;
  }
  return record;
}

Result<Event> refusal_of(const aq_refusal& wire) {
  RefusalRecord record{.listener = {.sk = wire.sk, .born_ns = wire.born_ns}, .refusal = {}};
  facts::Refusal& refusal = record.refusal;
  Result<facts::IpAddress> client = address_of(wire.attempt.family, wire.attempt.client);
  if (!client) return fail(std::move(client.error()));
  Result<facts::IpAddress> address = address_of(wire.attempt.family, wire.attempt.address);
  if (!address) return fail(std::move(address.error()));
  if (wire.stage > AQ_STAGE_COOKIE_ACK) {
    return fail(ErrorCode::kMalformed,
                "refusal record: unknown stage " + std::to_string(wire.stage));
  }
  if (wire.term >= AQ_TERMS ||
      facts::refusal_reason(static_cast<facts::LedgerTerm>(wire.term)).empty()) {
    return fail(ErrorCode::kMalformed,
                "refusal record: term " + std::to_string(wire.term) + " is no refusal");
  }
  refusal.at_ns = static_cast<std::int64_t>(wire.at_ns);
  refusal.cookie = SocketCookie(wire.cookie);
  refusal.netns = NetnsId(wire.attempt.netns);
  refusal.client = *client;
  refusal.client_port = wire.attempt.client_port;
  refusal.address = *address;
  refusal.port = wire.attempt.port;
  if (wire.attempt.isn != 0) refusal.isn = wire.attempt.isn;
  refusal.stage = static_cast<facts::Stage>(wire.stage);
  refusal.reason = static_cast<facts::LedgerTerm>(wire.term);
  refusal.attempt_packets = wire.packets;
  refusal.length = QueueLength(wire.length);
  refusal.limit = QueueLimit(wire.limit);
  refusal.syn_length = wire.syn_length;
  refusal.reset = wire.reset != 0;
  return record;
}

}  // namespace

Result<LedgerRecord> parse_ledger(std::uint64_t sk, std::span<const std::byte> bytes) {
  const Result<aq_ledger> wire = copy_of<aq_ledger>(bytes, "a ledger");
  if (!wire) return fail(wire.error());
  return ledger_of(sk, *wire);
}

Result<Event> parse_event(std::span<const std::byte> bytes) {
  aq_u32 kind = 0;
  if (bytes.size() < sizeof kind) return fail(ErrorCode::kTruncated, "an event without a kind");
  std::memcpy(&kind, bytes.data(), sizeof kind);
  if (kind == AQ_EVENT_REFUSED) {
    const Result<aq_refusal> wire = copy_of<aq_refusal>(bytes, "a refusal");
    if (!wire) return fail(wire.error());
    return refusal_of(*wire);
  }
  if (kind == AQ_EVENT_LEDGER) {
    const Result<aq_final_ledger> wire = copy_of<aq_final_ledger>(bytes, "a last ledger");
    if (!wire) return fail(wire.error());
    Result<LedgerRecord> record = ledger_of(wire->sk, wire->ledger);
    if (!record) return fail(std::move(record.error()));
    return std::move(*record);
  }
  return fail(ErrorCode::kMalformed, "an event of unknown kind " + std::to_string(kind));
}

}  // namespace acceptq::collect::bpf
