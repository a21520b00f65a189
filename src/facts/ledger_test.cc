#include "facts/ledger.h"

#include <gtest/gtest.h>

#include <set>
#include <string_view>
#include <vector>

#include "facts/snapshot.h"

namespace acceptq::facts {
namespace {

TEST(LedgerTerms, HaveNamesOfTheirOwn) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kLedgerTerms; ++i) {
    const std::string_view name = ledger_term_name(static_cast<LedgerTerm>(i));
    EXPECT_FALSE(name.empty()) << i;
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_EQ(name.find("refused") != name.npos && !name.starts_with("attempts"),
              !refusal_reason(static_cast<LedgerTerm>(i)).empty())
        << name;
  }
}

TEST(Quantile, IsTheUpperBoundOfItsBucket) {
  const Histogram histogram = {
      {.below = 10, .count = 50}, {.below = 20, .count = 49}, {.below = 40, .count = 1}};
  EXPECT_EQ(quantile(histogram, 0.5), 10U);
  EXPECT_EQ(quantile(histogram, 0.51), 20U);
  EXPECT_EQ(quantile(histogram, 0.99), 20U);
  EXPECT_EQ(quantile(histogram, 1.0), 40U);
  EXPECT_EQ(quantile({}, 0.5), std::nullopt);
  EXPECT_EQ(quantile({{.below = 40, .count = 2}}, 0.5), 40U);
  EXPECT_EQ(quantile({{.below = 40, .count = 2}}, 0.99), std::nullopt) << "of two values";
}

TEST(RefusedSums, AreUnknownWhereATermIs) {
  Ledger ledger;
  EXPECT_EQ(refused_at_syn(ledger), std::nullopt);
  for (std::size_t i = 0; i < kLedgerTerms; ++i) ledger.set(static_cast<LedgerTerm>(i), 1);
  EXPECT_EQ(refused_at_syn(ledger), 7U);
  EXPECT_EQ(refused_at_ack(ledger), 4U);
}

RefusedClient client(const char* address, std::uint64_t packets, std::uint64_t attempts) {
  return {.address = IpAddress::parse(address).value_or(IpAddress()),
          .prefix_bits = 32,
          .packets = packets,
          .attempts = attempts};
}

// As packets name it, by the address that clients used: the kernel asks the socket that is bound to
// it first.
TEST(FindListener, PrefersTheOneBoundToTheAddress) {
  Snapshot snapshot;
  Listener any;
  any.netns = NetnsId(1);
  any.port = 80;
  Listener bound = any;
  bound.address = *IpAddress::parse("10.0.0.1");
  Ledger wanted;
  wanted.netns = any.netns;
  wanted.port = any.port;
  wanted.address = bound.address;
  for (const bool bound_first : {true, false}) {
    snapshot.listeners = bound_first ? std::vector{bound, any} : std::vector{any, bound};
    EXPECT_EQ(find_listener(snapshot, wanted), &snapshot.listeners[bound_first ? 0 : 1]);
    EXPECT_EQ(ListenersByPort(snapshot).find(wanted), find_listener(snapshot, wanted));
  }
  snapshot.listeners = {bound, any, any};
  EXPECT_EQ(find_listener(snapshot, wanted), snapshot.listeners.data());
  snapshot.listeners = {any, bound, bound};
  EXPECT_EQ(find_listener(snapshot, wanted), nullptr) << "a group shares the port";
  snapshot.listeners = {any, any};
  EXPECT_EQ(find_listener(snapshot, wanted), nullptr);
  // A socket of IPv6, bound to an address of IPv4.
  bound.address = *IpAddress::parse("::ffff:10.0.0.1");
  snapshot.listeners = {any, bound};
  EXPECT_EQ(find_listener(snapshot, wanted), &snapshot.listeners[1]);
}

TEST(LedgerGrowth, IsOfTheIntervalInEveryPart) {
  Ledger before;
  before.set(LedgerTerm::kAttemptsRefused, 9);
  before.gave_up = 4;
  before.addresses = 2;
  before.clients = {client("10.0.0.1", 12, 6), client("10.0.0.2", 5, 3)};
  Ledger after = before;
  after.set(LedgerTerm::kAttemptsRefused, 11);
  after.gave_up = 5;
  after.addresses = 3;
  after.clients = {client("10.0.0.1", 12, 6), client("10.0.0.2", 8, 4), client("10.0.0.3", 1, 1)};
  const Ledger growth = ledger_growth(before, after);
  EXPECT_EQ(growth[LedgerTerm::kAttemptsRefused], 2U);
  EXPECT_EQ(growth.gave_up, 1U);
  EXPECT_EQ(growth.addresses, 2U);
  EXPECT_EQ(growth.clients, (std::vector{client("10.0.0.2", 3, 1), client("10.0.0.3", 1, 1)}));
}

TEST(LedgerGrowth, DoesNotKnowHowManyGaveUpWhereSomeCameBack) {
  Ledger before;
  before.gave_up = 4;
  Ledger after;
  after.gave_up = 3;
  EXPECT_EQ(ledger_growth(before, after).gave_up, std::nullopt);
}

// Of a client that was forgotten and met again, what was counted since is all that is known.
TEST(LedgerGrowth, TakesForgottenClientsForNewOnes) {
  Ledger before;
  before.clients = {client("10.0.0.1", 12, 6)};
  Ledger after;
  after.clients = {client("10.0.0.1", 2, 1)};
  EXPECT_EQ(ledger_growth(before, after).clients, after.clients);
}

}  // namespace
}  // namespace acceptq::facts
