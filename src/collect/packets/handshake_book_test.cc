#include "collect/packets/handshake_book.h"

#include <gtest/gtest.h>

namespace acceptq::collect::packets {
namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kSecond = 1000 * kMs;

const facts::IpAddress kServer = *facts::IpAddress::parse("10.0.0.2");

// What one client and the server send each other.
class Wire {
 public:
  explicit Wire(HandshakeBook& book, const char* client = "10.0.0.1", std::uint32_t isn = 1000)
      : book_(book), client_(*facts::IpAddress::parse(client)), isn_(isn) {}

  void syn(std::int64_t at) { book_.add(to_server(at, {.sequence = isn_, .syn = true})); }
  void synack(std::int64_t at) {
    book_.add(to_client(at, {.sequence = 7, .acknowledged = isn_ + 1, .syn = true, .ack = true}));
  }
  void ack(std::int64_t at) {
    book_.add(to_server(at, {.sequence = isn_ + 1, .acknowledged = 8, .ack = true}));
  }
  void reset(std::int64_t at) { book_.add(to_client(at, {.rst = true})); }

 private:
  HandshakePacket to_server(std::int64_t at, HandshakePacket packet) const {
    packet.at_ns = at;
    packet.source = client_;
    packet.destination = kServer;
    packet.source_port = 40000;
    packet.destination_port = 80;
    return packet;
  }
  HandshakePacket to_client(std::int64_t at, HandshakePacket packet) const {
    packet.at_ns = at;
    packet.source = kServer;
    packet.destination = client_;
    packet.source_port = 80;
    packet.destination_port = 40000;
    return packet;
  }

  HandshakeBook& book_;
  facts::IpAddress client_;
  std::uint32_t isn_;
};

HandshakeBook make_book() { return HandshakeBook({.ports = {80}, .addresses = {kServer}}); }

Tally only(const HandshakeBook& book, std::int64_t now) {
  const auto tallies = book.tallies(now);
  EXPECT_EQ(tallies.size(), 1U);
  return tallies.empty() ? Tally{} : tallies[0];
}

TEST(HandshakeBook, HasNothingAgainstAnAnsweredHandshake) {
  HandshakeBook book = make_book();
  Wire wire(book);
  wire.syn(0);
  wire.synack(1 * kMs);
  wire.ack(2 * kMs);
  const Tally tally = only(book, 5 * kSecond);
  EXPECT_EQ(tally.syns, 1U);
  EXPECT_EQ(tally.synacks, 1U);
  EXPECT_EQ(tally.attempts_refused, 0U);
}

TEST(HandshakeBook, CountsSynsWithoutAnswer) {
  HandshakeBook book = make_book();
  Wire wire(book);
  wire.syn(0);
  EXPECT_EQ(only(book, 50 * kMs).unanswered_syns, 0U) << "too early to tell";
  EXPECT_EQ(only(book, 150 * kMs).unanswered_syns, 1U);
  wire.syn(1 * kSecond);
  wire.syn(3 * kSecond);
  const Tally tally = only(book, 4 * kSecond);
  EXPECT_EQ(tally.syns, 3U);
  EXPECT_EQ(tally.unanswered_syns, 3U);
  EXPECT_EQ(tally.attempts_refused, 1U);
  EXPECT_EQ(tally.gave_up, 0U) << "the next comes after 4 s";
  EXPECT_EQ(only(book, 12 * kSecond).gave_up, 1U);
  EXPECT_EQ(tally.clients.begin()->second.packets, 3U);
  EXPECT_EQ(tally.clients.begin()->second.attempts, 1U);
}

TEST(HandshakeBook, TakesAResetForAnAnswer) {
  HandshakeBook book = make_book();
  Wire wire(book);
  wire.syn(0);
  wire.reset(kMs);
  const Tally tally = only(book, 9 * kSecond);
  EXPECT_EQ(tally.syns, 1U);
  EXPECT_EQ(tally.unanswered_syns, 0U);
  EXPECT_EQ(tally.gave_up, 0U);
}

TEST(HandshakeBook, KnowsWhoCameThroughLater) {
  HandshakeBook book = make_book();
  Wire wire(book);
  wire.syn(0);
  wire.syn(1 * kSecond);
  wire.synack(1 * kSecond + kMs);
  wire.ack(1 * kSecond + 2 * kMs);
  const Tally tally = only(book, 9 * kSecond);
  EXPECT_EQ(tally.unanswered_syns, 1U);
  EXPECT_EQ(tally.attempts_refused, 1U);
  EXPECT_EQ(tally.attempts_recovered, 1U);
  EXPECT_EQ(tally.delay_s.at(2), 1U) << "at least 1 s, below 2 s";
  EXPECT_EQ(tally.gave_up, 0U);
}

TEST(HandshakeBook, CountsFinalAcksThatWereNotHeard) {
  HandshakeBook book = make_book();
  Wire wire(book);
  wire.syn(0);
  wire.synack(1 * kMs);
  wire.ack(2 * kMs);
  wire.synack(1 * kSecond);
  wire.ack(1 * kSecond + kMs);
  wire.synack(3 * kSecond);
  const Tally tally = only(book, 4 * kSecond);
  EXPECT_EQ(tally.unheard_acks, 2U);
  EXPECT_EQ(tally.synacks_repeated, 2U);
  EXPECT_EQ(tally.attempts_refused, 1U);
  EXPECT_EQ(tally.attempts_recovered, 0U);
}

TEST(HandshakeBook, KeepsASlowClientApart) {
  HandshakeBook book = make_book();
  Wire wire(book);
  wire.syn(0);
  wire.synack(1 * kMs);
  wire.synack(1 * kSecond);  // the answer got lost, or the client is slow
  wire.ack(1 * kSecond + kMs);
  EXPECT_EQ(only(book, 9 * kSecond).attempts_refused, 0U);
}

TEST(HandshakeBook, SeesAPacketOnItsWayThroughInterfacesOnce) {
  HandshakeBook book = make_book();
  Wire wire(book);
  wire.syn(0);
  wire.syn(kMs / 10);
  wire.synack(1 * kMs);
  wire.synack(1 * kMs + 1000);
  const Tally tally = only(book, 1 * kSecond);
  EXPECT_EQ(tally.syns, 1U);
  EXPECT_EQ(tally.synacks_repeated, 0U);
}

TEST(HandshakeBook, NotesResetsBehindTheHandshake) {
  HandshakeBook book = make_book();
  Wire first(book);
  first.syn(0);
  first.reset(1 * kMs);  // nobody listens
  Wire second(book, "10.0.0.3");
  second.syn(0);
  second.synack(1 * kMs);
  second.ack(2 * kMs);
  second.reset(3 * kMs);
  EXPECT_EQ(only(book, 50 * kMs).resets, 1U);
}

TEST(HandshakeBook, TellsAttemptsOnTheSamePortsApart) {
  HandshakeBook book = make_book();
  Wire(book, "10.0.0.1", 1).syn(0);
  Wire(book, "10.0.0.1", 2).syn(10 * kSecond);
  const Tally tally = only(book, 11 * kSecond);
  EXPECT_EQ(tally.attempts_refused, 2U);
  EXPECT_EQ(tally.clients.begin()->second.attempts, 2U);
}

TEST(HandshakeBook, LooksAtItsOwnPortsAndAddressesOnly) {
  HandshakeBook other_port({.ports = {81}, .addresses = {kServer}});
  Wire(other_port).syn(0);
  EXPECT_TRUE(other_port.tallies(kSecond).empty());
  HandshakeBook other_address({.ports = {80}, .addresses = {*facts::IpAddress::parse("10.0.0.9")}});
  Wire(other_address).syn(0);
  EXPECT_TRUE(other_address.tallies(kSecond).empty());
}

TEST(HandshakeBook, IsBounded) {
  HandshakeBook book({.ports = {80}, .addresses = {}, .most_attempts = 4});
  for (std::uint32_t i = 0; i < 100; ++i) {
    Wire(book, ("10.1.0." + std::to_string(i)).c_str()).syn(i * kSecond);
  }
  const Tally tally = only(book, 200 * kSecond);
  EXPECT_EQ(tally.syns, 100U);
  EXPECT_EQ(tally.attempts_refused, 100U);
  EXPECT_GT(book.forgotten(), 0U);
}

}  // namespace
}  // namespace acceptq::collect::packets
