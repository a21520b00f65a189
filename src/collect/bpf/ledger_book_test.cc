#include "collect/bpf/ledger_book.h"

#include <gtest/gtest.h>

namespace acceptq::collect::bpf {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

LedgerRecord record(std::uint64_t sk, std::uint64_t born, std::uint64_t syns) {
  LedgerRecord made{.id = {.sk = sk, .born_ns = born}, .ledger = {}};
  made.ledger.set(facts::LedgerTerm::kSynReceived, syns);
  made.ledger.since_ns = static_cast<std::int64_t>(born);
  return made;
}

ClientCount client(std::uint64_t sk, const char* address, std::uint64_t packets,
                   std::uint64_t attempts) {
  return {.sk = sk,
          .address = *facts::IpAddress::parse(address),
          .packets = packets,
          .attempts = attempts};
}

TEST(BindBooks, LeavesOutListenersThatNothingReached) {
  const auto ledgers = bind_books({.records = {record(1, 5, 0), record(2, 5, 3)}});
  ASSERT_EQ(ledgers.size(), 1U);
  EXPECT_EQ(ledgers[0][facts::LedgerTerm::kSynReceived], 3U);
}

TEST(BindBooks, GivesClientsToTheNewestListenerOfAPlace) {
  const auto ledgers =
      bind_books({.records = {record(1, 9, 2), record(1, 5, 3)},
                  .clients = {client(1, "10.0.0.1", 3, 1), client(1, "10.0.0.2", 9, 4),
                              client(7, "10.0.0.3", 9, 4)},
                  .prefixes = {client(1, "2001:db8::", 2, 2)}});
  ASSERT_EQ(ledgers.size(), 2U);
  EXPECT_TRUE(ledgers[1].clients.empty());
  EXPECT_EQ(ledgers[1].gave_up, std::nullopt);
  ASSERT_EQ(ledgers[0].clients.size(), 2U);
  EXPECT_EQ(ledgers[0].clients[1].address.to_string(), "10.0.0.2");
  EXPECT_EQ(ledgers[0].clients[0].prefix_bits, 32);
  EXPECT_EQ(ledgers[0].prefixes.at(0).prefix_bits, 48);
  EXPECT_EQ(ledgers[0].addresses, 2U);
}

TEST(BindBooks, DoesNotCountAddressesThatMayBeForgotten) {
  const auto ledgers = bind_books({.records = {record(1, 9, 2)},
                                   .clients = {client(1, "10.0.0.1", 3, 1)},
                                   .some_clients_forgotten = true});
  EXPECT_EQ(ledgers.at(0).addresses, std::nullopt);
  EXPECT_EQ(ledgers.at(0).clients.size(), 1U);
}

TEST(BindBooks, CountsThoseThatGaveUp) {
  const auto ledgers =
      bind_books({.records = {record(1, 9, 2)},
                  .attempts = {{.sk = 1, .last_ns = 10 * kSecond, .refused_syns = 1},
                               {.sk = 1, .last_ns = 11 * kSecond, .refused_syns = 1},
                               {.sk = 1, .last_ns = 10 * kSecond, .refused_syns = 3}},
                  .now_ns = 12 * kSecond + 1});
  EXPECT_EQ(ledgers.at(0).gave_up, 1U);
}

TEST(GaveUp, WaitsTwiceAsLongAsClientsDo) {
  OpenAttempt attempt{.last_ns = 0, .refused_syns = 3, .refused_acks = 1};
  EXPECT_FALSE(gave_up(attempt, 16 * kSecond));
  EXPECT_TRUE(gave_up(attempt, 16 * kSecond + 1));
  attempt.refused_syns = 40;
  EXPECT_FALSE(gave_up(attempt, 64 * kSecond));
  EXPECT_TRUE(gave_up(attempt, 64 * kSecond + 1));
}

}  // namespace
}  // namespace acceptq::collect::bpf
