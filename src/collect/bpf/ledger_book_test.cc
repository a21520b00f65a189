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
  const auto at = [](std::int64_t first, std::int64_t last) {
    return OpenAttempt{.sk = 1, .first_ns = first * kSecond, .last_ns = last * kSecond};
  };
  const auto ledgers = bind_books({.records = {record(1, 9, 2)},
                                   .attempts = {at(9, 10), at(10, 11), at(10, 10)},
                                   .now_ns = 15 * kSecond});
  EXPECT_EQ(ledgers.at(0).gave_up, 1U);
}

}  // namespace
}  // namespace acceptq::collect::bpf
