#include "facts/ledger.h"

#include <gtest/gtest.h>

#include <set>
#include <string_view>

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

}  // namespace
}  // namespace acceptq::facts
