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
  EXPECT_EQ(only(book, 16 * kSecond).gave_up, 1U);
  EXPECT_EQ(tally.clients.begin()->second.packets, 3U);
  EXPECT_EQ(tally.clients.begin()->second.attempts, 1U);
}

TEST(Handshakes, SaysWhenSynsGotNoAnswerAndWhoWasSlow) {
  Handshakes book = make_book();
  Wire wire(book);
  wire.syn(0);
  wire.syn(1 * kSecond);
  wire.syn(3 * kSecond);
  wire.synack(3 * kSecond + kMs);
  wire.ack(3 * kSecond + 2 * kMs);
  const facts::HandshakeCourse course = only(book, 5 * kSecond).course;
  EXPECT_EQ(course.end_ns, 5 * kSecond);
  ASSERT_EQ(course.parts.size(), 2U);
  EXPECT_EQ(course.parts[0],
            (facts::CoursePart{.index = 0, .attempts = 1, .unanswered = 1, .slow = 1}));
  EXPECT_EQ(course.parts[1], (facts::CoursePart{.index = 10, .unanswered = 1}));
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

// What a capture's packets add to those of the live tap.
class Captured : public ::testing::Test {
 protected:
  static TcpPacket packet(std::int64_t at, const char* from, std::uint16_t from_port,
                          const char* to, std::uint16_t to_port, TcpPacket packet) {
    packet.at_ns = at;
    packet.source = *facts::IpAddress::parse(from);
    packet.destination = *facts::IpAddress::parse(to);
    packet.source_port = from_port;
    packet.destination_port = to_port;
    return packet;
  }
  void syn(std::int64_t at, const char* to = "10.0.0.2", std::uint32_t isn = 1000,
           std::int32_t ip_id = -1) {
    all_.add(packet(at, "10.0.0.1", 40000, to, 80, {.sequence = isn, .ip_id = ip_id, .syn = true}));
  }
  void from_server(std::int64_t at, TcpPacket what) {
    all_.add(packet(at, "10.0.0.2", 80, "10.0.0.1", 40000, what));
  }
  void from_client(std::int64_t at, TcpPacket what) {
    all_.add(packet(at, "10.0.0.1", 40000, "10.0.0.2", 80, what));
  }
  void handshake(std::int64_t at) {
    syn(at);
    from_server(at + kMs, {.sequence = 7, .acknowledged = 1001, .syn = true, .ack = true});
    from_client(at + 2 * kMs, {.sequence = 1001, .acknowledged = 8, .ack = true});
  }
  [[nodiscard]] Tally only(std::int64_t now) const {
    const auto tallies = all_.tallies(now);
    EXPECT_EQ(tallies.size(), 1U);
    return tallies.empty() ? Tally{} : tallies[0];
  }

  Handshakes all_{HandshakeOptions{}};
};

TEST_F(Captured, ASynOfTheLastSecondIsUnderWay) {
  syn(kSecond);
  EXPECT_EQ(only(kSecond + 900 * kMs).pending, 1U);
  EXPECT_EQ(only(kSecond + 900 * kMs).unanswered_syns, 0U);
  EXPECT_EQ(only(2 * kSecond).never_answered, 1U);
  syn(2 * kSecond);  // that the first one had no answer is sure now
  EXPECT_EQ(only(2 * kSecond + kMs).never_answered, 1U);
  EXPECT_EQ(only(2 * kSecond + kMs).unanswered_syns, 1U);
}

// By a filter like tcp[tcpflags] == tcp-syn: those of a healthy server, and one that was repeated.
TEST(Handshakes, SynsAloneTellOnlyWhatIsRepeated) {
  Handshakes book({.may_be_filtered = true});
  Wire(book, "10.0.0.1").syn(0);
  Wire slow(book, "10.0.0.3", 2000);
  slow.syn(0);
  slow.syn(kSecond);
  const Tally tally = only(book, 60 * kSecond);
  EXPECT_EQ(tally.attempts, 2U);
  EXPECT_EQ(tally.unanswered_syns, 1U);
  EXPECT_EQ(tally.attempts_unanswered, 1U);
  EXPECT_EQ(tally.never_answered, 0U) << "the third SYN, due after 2 s, did not come";
  EXPECT_EQ(only(book, 3 * kSecond).never_answered, 1U);
  EXPECT_EQ(tally.pending, 0U);
  // Any answer shows that answers were captured.
  Wire answered(book, "10.0.0.4", 3000);
  answered.syn(60 * kSecond);
  answered.synack(60 * kSecond + kMs);
  EXPECT_EQ(only(book, 62 * kSecond).never_answered, 2U);
}

TEST_F(Captured, AServerThatSendsMoreHasTheConnection) {
  handshake(kSecond);
  from_client(kSecond + 3 * kMs, {.sequence = 1001, .ack = true, .has_data = true});
  from_server(2 * kSecond, {.acknowledged = 1001, .syn = true, .ack = true});
  EXPECT_EQ(only(3 * kSecond).unheard_with_data, 1U);
  EXPECT_EQ(only(3 * kSecond).completed, 0U);
  from_server(3 * kSecond, {.acknowledged = 1020, .ack = true});
  const Tally tally = only(4 * kSecond);
  EXPECT_EQ(tally.completed, 1U);
  EXPECT_EQ(tally.attempts_recovered, 1U);
  EXPECT_EQ(tally.delay_s.at(4), 1U) << "2 s";
  // What comes later is no handshake's.
  from_server(5 * kSecond, {.rst = true});
  EXPECT_EQ(only(6 * kSecond).resets, 0U);
}

TEST_F(Captured, AnAckWithoutASynIsNotCounted) {
  from_client(kSecond, {.acknowledged = 8, .ack = true});
  from_server(kSecond, {.acknowledged = 1001, .syn = true, .ack = true});
  EXPECT_TRUE(all_.tallies(9 * kSecond).empty());
  EXPECT_EQ(all_.totals().synacks_without_syn, 1U);
}

TEST_F(Captured, AnAnswerThatWentAnotherWayIsOne) {
  syn(kSecond);
  from_client(kSecond + kMs, {.sequence = 1001, .acknowledged = 8, .ack = true});
  EXPECT_EQ(only(9 * kSecond).unanswered_syns, 0U);
  EXPECT_EQ(only(9 * kSecond).completed, 1U);
}

TEST_F(Captured, ATranslatedSynIsOneAttempt) {
  syn(kSecond, "10.96.0.10", 1000, 77);
  syn(kSecond + kMs, "10.0.0.2", 1000, 77);
  from_server(kSecond + 2 * kMs, {.acknowledged = 1001, .syn = true, .ack = true});
  from_client(kSecond + 3 * kMs, {.sequence = 1001, .ack = true});
  const Tally tally = only(9 * kSecond);
  EXPECT_EQ(tally.endpoint.address.to_string(), "10.0.0.2");
  ASSERT_TRUE(tally.translated);
  EXPECT_EQ(tally.translated->address.to_string(), "10.96.0.10");
  EXPECT_EQ(tally.attempts, 1U);
  EXPECT_EQ(tally.completed, 1U);
}

// A scanner uses one port and one sequence number for all of its SYNs.
TEST_F(Captured, SynsOfAScannerAreNotTranslated) {
  syn(kSecond, "10.0.0.2", 1000, 77);
  syn(kSecond + kMs, "10.0.0.3", 1000, 78);
  EXPECT_EQ(all_.tallies(9 * kSecond).size(), 2U);
}

TEST_F(Captured, WhatIsOverIsLetGo) {
  for (std::int64_t i = 0; i < 200; ++i)
    syn(kSecond + i * 40 * kSecond, "10.0.0.2", 1000U + 7U * i);
  const Tally tally = only(10000 * kSecond);
  EXPECT_EQ(tally.attempts, 200U);
  EXPECT_EQ(tally.never_answered, 200U);
  EXPECT_EQ(all_.forgotten(), 0U);
}

TEST_F(Captured, ClientsAndServersAreBounded) {
  all_ = Handshakes({.most_endpoints = 3, .most_clients = 2});
  const char* clients[] = {"10.1.0.1", "10.1.0.2", "10.1.0.3"};
  std::uint32_t isn = 0;
  for (std::uint16_t port = 1; port <= 5; ++port) {
    for (const char* client : clients) {
      all_.add(packet(kSecond, client, 9, "10.0.0.2", port, {.sequence = ++isn, .syn = true}));
    }
  }
  const auto tallies = all_.tallies(9 * kSecond);
  ASSERT_EQ(tallies.size(), 3U);
  EXPECT_EQ(tallies[0].attempts, 3U);
  EXPECT_EQ(tallies[0].clients.size(), 2U);
  EXPECT_TRUE(tallies[0].clients_left_out);
}

TEST_F(Captured, HopsAndDirectionsTellTheSide) {
  const auto vantage = [](std::uint8_t syn_ttl, std::uint8_t synack_ttl, Direction direction) {
    Handshakes all{HandshakeOptions{}};
    all.add(packet(kSecond, "10.0.0.1", 9, "10.0.0.2", 80,
                   {.sequence = 1, .ttl = syn_ttl, .direction = direction, .syn = true}));
    all.add(packet(kSecond + kMs, "10.0.0.2", 80, "10.0.0.1", 9,
                   {.acknowledged = 2, .ttl = synack_ttl, .syn = true, .ack = true}));
    return all.tallies(9 * kSecond).at(0).vantage;
  };
  EXPECT_EQ(vantage(60, 64, Direction::kUnknown).at_server, 1U);
  EXPECT_EQ(vantage(64, 60, Direction::kUnknown).at_client, 1U);
  EXPECT_EQ(vantage(128, 250, Direction::kUnknown).at_client, 1U);
  EXPECT_EQ(vantage(62, 61, Direction::kUnknown).between, 1U);
  EXPECT_EQ(vantage(64, 64, Direction::kIn).at_server, 1U);
  EXPECT_EQ(vantage(64, 64, Direction::kOut).at_client, 1U);
  EXPECT_EQ(vantage(60, 0, Direction::kUnknown).not_client, 1U);
}

// Its text has no hop counts without -v: a host that forwards was once taken for both ends.
TEST_F(Captured, ASynInAndOutIsForwarded) {
  for (const Direction direction : {Direction::kIn, Direction::kOut}) {
    all_.add(packet(kSecond, "10.0.0.1", 9, "10.0.0.2", 80,
                    {.sequence = 1, .direction = direction, .syn = true}));
  }
  EXPECT_EQ(only(9 * kSecond).vantage.between, 1U);
  EXPECT_EQ(only(9 * kSecond).vantage.at_both, 0U);
}

}  // namespace
}  // namespace acceptq::evidence
