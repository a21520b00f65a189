#include "collect/bpf/ledger_records.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstring>
#include <string>
#include <vector>

#include "collect/bpf/ledger_wire.h"

namespace acceptq::collect::bpf {
namespace {

using facts::LedgerTerm;

template <typename Wire>
std::span<const std::byte> bytes_of(const Wire& wire) {
  return std::as_bytes(std::span(&wire, 1));
}

aq_refusal good_refusal() {
  aq_refusal wire{};
  wire.kind = AQ_EVENT_REFUSED;
  wire.stage = AQ_STAGE_ACK;
  wire.sk = 7;
  wire.born_ns = 8;
  wire.at_ns = 9;
  wire.term = AQ_ACK_REFUSED_FULL;
  wire.packets = 3;
  wire.length = 129;
  wire.limit = 128;
  wire.reset = 1;
  wire.attempt.netns = 4026532567;
  wire.attempt.family = AF_INET;
  wire.attempt.client_port = 40112;
  wire.attempt.port = 80;
  wire.attempt.isn = 0xfeedf00d;
  const aq_u8 client[] = {10, 0, 0, 3};
  std::memcpy(&wire.attempt.client, &client, sizeof client);
  return wire;
}

TEST(ParseEvent, ReadsARefusal) {
  const Result<Event> event = parse_event(bytes_of(good_refusal()));
  ASSERT_TRUE(event.has_value()) << event.error().message();
  const auto& record = std::get<RefusalRecord>(*event);
  EXPECT_EQ(record.listener, (ListenerId{.sk = 7, .born_ns = 8}));
  EXPECT_EQ(record.refusal.at_ns, 9);
  EXPECT_EQ(record.refusal.client.to_string(), "10.0.0.3");
  EXPECT_EQ(record.refusal.client_port, 40112);
  EXPECT_EQ(record.refusal.isn, 0xfeedf00dU);
  EXPECT_EQ(record.refusal.stage, facts::Stage::kAck);
  EXPECT_EQ(record.refusal.reason, LedgerTerm::kAckRefusedFull);
  EXPECT_EQ(record.refusal.attempt_packets, 3U);
  EXPECT_EQ(record.refusal.length, QueueLength(129));
  EXPECT_EQ(record.refusal.limit, QueueLimit(128));
  EXPECT_TRUE(record.refusal.reset);
}

TEST(ParseEvent, RefusesWhatNoProgramWrites) {
  const auto code_of = [](const aq_refusal& wire) {
    return parse_event(bytes_of(wire)).error().code;
  };
  aq_refusal wire = good_refusal();
  wire.kind = 77;
  EXPECT_EQ(code_of(wire), ErrorCode::kMalformed);
  wire = good_refusal();
  wire.stage = 3;
  EXPECT_EQ(code_of(wire), ErrorCode::kMalformed);
  wire = good_refusal();
  wire.term = AQ_ACCEPTED;  // no refusal
  EXPECT_EQ(code_of(wire), ErrorCode::kMalformed);
  wire.term = AQ_TERMS;
  EXPECT_EQ(code_of(wire), ErrorCode::kMalformed);
  wire = good_refusal();
  wire.attempt.family = AF_UNIX;
  EXPECT_EQ(code_of(wire), ErrorCode::kMalformed);
  wire = good_refusal();
  EXPECT_EQ(parse_event(bytes_of(wire).first(3)).error().code, ErrorCode::kTruncated);
  EXPECT_EQ(parse_event(bytes_of(wire).first(sizeof wire - 1)).error().code, ErrorCode::kTruncated);
}

TEST(ParseLedger, ReadsTermsAndHistograms) {
  aq_ledger wire{};
  wire.born_ns = 5;
  wire.family = AF_INET6;
  wire.port = 443;
  wire.longest = 129;
  wire.count[AQ_ACCEPTED] = 11;
  wire.depth[7] = 4;          // lengths of 128 to 255
  wire.time_in_queue[0] = 1;  // below 1 us
  wire.time_in_queue[1] = 2;  // below 1.25 us
  wire.time_in_queue[5] = 3;  // below 2.5 us
  wire.listen_known = 1;
  wire.listen_limit = 128;
  const Result<LedgerRecord> record = parse_ledger(7, bytes_of(wire));
  ASSERT_TRUE(record.has_value()) << record.error().message();
  EXPECT_EQ(record->id, (ListenerId{.sk = 7, .born_ns = 5}));
  const facts::Ledger& ledger = record->ledger;
  EXPECT_EQ(ledger.address.to_string(), "::");
  EXPECT_EQ(ledger[LedgerTerm::kAccepted], 11U);
  EXPECT_EQ(ledger[LedgerTerm::kSynReceived], 0U);
  EXPECT_EQ(ledger.depth, (facts::Histogram{{.below = 256, .count = 4}}));
  EXPECT_EQ(ledger.time_in_queue_ns, (facts::Histogram{{.below = 1000, .count = 1},
                                                       {.below = 1250, .count = 2},
                                                       {.below = 2500, .count = 3}}));
  EXPECT_FALSE(ledger.closed_at_ns.has_value());
  ASSERT_TRUE(ledger.listen.has_value());
  EXPECT_EQ(ledger.listen->limit, 128U);
  EXPECT_FALSE(ledger.listen->requested.has_value());
  EXPECT_EQ(parse_ledger(7, bytes_of(wire).first(100)).error().code, ErrorCode::kTruncated);
}

TEST(ParseEvent, ReadsTheLastStateOfALedger) {
  aq_final_ledger wire{};
  wire.kind = AQ_EVENT_LEDGER;
  wire.sk = 7;
  wire.ledger.family = AF_INET;
  wire.ledger.closed_ns = 12;
  const Result<Event> event = parse_event(bytes_of(wire));
  ASSERT_TRUE(event.has_value()) << event.error().message();
  EXPECT_EQ(std::get<LedgerRecord>(*event).id.sk, 7U);
  EXPECT_EQ(std::get<LedgerRecord>(*event).ledger.closed_at_ns, 12);
}

}  // namespace
}  // namespace acceptq::collect::bpf
