#include "evidence/handshakes.h"

#include <gtest/gtest.h>

namespace acceptq::evidence {
namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kSecond = 1000 * kMs;

const facts::IpAddress kServer = *facts::IpAddress::parse("10.0.0.2");

// What one client and the server send each other.
class Wire {
 public:
  explicit Wire(Handshakes& book, const char* client = "10.0.0.1", std::uint32_t isn = 1000)
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
  TcpPacket to_server(std::int64_t at, TcpPacket packet) const {
    packet.at_ns = at;
    packet.source = client_;
    packet.destination = kServer;
    packet.source_port = 40000;
    packet.destination_port = 80;
    return packet;
  }
  TcpPacket to_client(std::int64_t at, TcpPacket packet) const {
    packet.at_ns = at;
    packet.source = kServer;
    packet.destination = client_;
    packet.source_port = 80;
    packet.destination_port = 40000;
    return packet;
  }

  Handshakes& book_;
  facts::IpAddress client_;
  std::uint32_t isn_;
};

Handshakes make_book() {
  return Handshakes({.ports = {80}, .addresses = {kServer}, .answer_ns = 100 * kMs});
}

Tally only(const Handshakes& book, std::int64_t now) {
  const auto tallies = book.tallies(now);
  EXPECT_EQ(tallies.size(), 1U);
  return tallies.empty() ? Tally{} : tallies[0];
}

TEST(Handshakes, HasNothingAgainstAnAnsweredHandshake) {
  Handshakes book = make_book();
  Wire wire(book);
  wire.syn(0);
  wire.synack(1 * kMs);
  wire.ack(2 * kMs);
  const Tally tally = only(book, 5 * kSecond);
  EXPECT_EQ(tally.syn_packets, 1U);
  EXPECT_EQ(tally.synack_packets, 1U);
  EXPECT_EQ(tally.attempts_refused, 0U);
}

TEST(Handshakes, CountsSynsWithoutAnswer) {
  Handshakes book = make_book();
  Wire wire(book);
  wire.syn(0);
  EXPECT_EQ(only(book, 50 * kMs).unanswered_syns, 0U) << "too early to tell";
  EXPECT_EQ(only(book, 150 * kMs).unanswered_syns, 1U);
  wire.syn(1 * kSecond);
  wire.syn(3 * kSecond);
  const Tally tally = only(book, 4 * kSecond);
  EXPECT_EQ(tally.syn_packets, 3U);
  EXPECT_EQ(tally.unanswered_syns, 3U);
  EXPECT_EQ(tally.attempts_refused, 1U);
  EXPECT_EQ(tally.gave_up, 0U) << "the next comes after 4 s";
  EXPECT_EQ(only(book, 12 * kSecond).gave_up, 1U);
  EXPECT_EQ(tally.clients.begin()->second.packets, 3U);
  EXPECT_EQ(tally.clients.begin()->second.attempts, 1U);
}

TEST(Handshakes, TakesAResetForAnAnswer) {
  Handshakes book = make_book();
  Wire wire(book);
  wire.syn(0);
  wire.reset(kMs);
  const Tally tally = only(book, 9 * kSecond);
  EXPECT_EQ(tally.syn_packets, 1U);
  EXPECT_EQ(tally.unanswered_syns, 0U);
  EXPECT_EQ(tally.gave_up, 0U);
}

TEST(Handshakes, KnowsWhoCameThroughLater) {
  Handshakes book = make_book();
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

TEST(Handshakes, CountsFinalAcksThatWereNotHeard) {
  Handshakes book = make_book();
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

TEST(Handshakes, KeepsASlowClientApart) {
  Handshakes book = make_book();
  Wire wire(book);
  wire.syn(0);
  wire.synack(1 * kMs);
  wire.synack(1 * kSecond);  // the answer got lost, or the client is slow
  wire.ack(1 * kSecond + kMs);
  EXPECT_EQ(only(book, 9 * kSecond).attempts_refused, 0U);
}

TEST(Handshakes, SeesAPacketOnItsWayThroughInterfacesOnce) {
  Handshakes book = make_book();
  Wire wire(book);
  wire.syn(0);
  wire.syn(kMs / 10);
  wire.synack(1 * kMs);
  wire.synack(1 * kMs + 1000);
  const Tally tally = only(book, 1 * kSecond);
  EXPECT_EQ(tally.syn_packets, 1U);
  EXPECT_EQ(tally.synacks_repeated, 0U);
}

TEST(Handshakes, NotesResetsBehindTheHandshake) {
  Handshakes book = make_book();
  Wire first(book);
  first.syn(0);
  first.reset(1 * kMs);  // nobody listens
  Wire second(book, "10.0.0.3", 2000);
  second.syn(0);
  second.synack(1 * kMs);
  second.ack(2 * kMs);
  second.reset(3 * kMs);
  EXPECT_EQ(only(book, 50 * kMs).resets, 1U);
}

TEST(Handshakes, TellsAttemptsOnTheSamePortsApart) {
  Handshakes book = make_book();
  Wire(book, "10.0.0.1", 1).syn(0);
  Wire(book, "10.0.0.1", 2).syn(10 * kSecond);
  const Tally tally = only(book, 11 * kSecond);
  EXPECT_EQ(tally.attempts_refused, 2U);
  EXPECT_EQ(tally.clients.begin()->second.attempts, 2U);
}

TEST(Handshakes, LooksAtItsOwnPortsAndAddressesOnly) {
  Handshakes other_port({.ports = {81}, .addresses = {kServer}});
  Wire(other_port).syn(0);
  EXPECT_TRUE(other_port.tallies(kSecond).empty());
  Handshakes other_address({.ports = {80}, .addresses = {*facts::IpAddress::parse("10.0.0.9")}});
  Wire(other_address).syn(0);
  EXPECT_TRUE(other_address.tallies(kSecond).empty());
}

TEST(Handshakes, IsBounded) {
  Handshakes book({.ports = {80}, .addresses = {}, .answer_ns = 100 * kMs, .most_attempts = 4});
  for (std::uint32_t i = 0; i < 100; ++i) {
    Wire(book, ("10.1.0." + std::to_string(i)).c_str()).syn(i * kSecond);
  }
  const Tally tally = only(book, 200 * kSecond);
  EXPECT_EQ(tally.syn_packets, 100U);
  EXPECT_EQ(tally.attempts_refused, 100U);
  EXPECT_GT(book.forgotten(), 0U);
}

}  // namespace
}  // namespace acceptq::evidence
