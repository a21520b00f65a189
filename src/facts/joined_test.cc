#include "facts/joined.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace acceptq::facts {
namespace {

Recording recording(std::int64_t begin_s, std::int64_t end_s, std::uint64_t refused) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  Observation observation;
  observation.before.host.boot_id = observation.after.host.boot_id = "boot";
  observation.before.monotonic_ns = begin_s * kSecond;
  observation.after.monotonic_ns = end_s * kSecond;
  observation.seconds = static_cast<double>(end_s - begin_s);
  observation.tracing = Source::kTracepoints;
  Ledger ledger;
  ledger.port = 80;
  ledger.set(LedgerTerm::kSynRefusedAcceptFull, refused);
  observation.ledgers = {ledger};
  observation.samples["tcp:7:0.0.0.0:80#1"] = {
      .count = 10, .full = static_cast<std::uint32_t>(refused), .longest = QueueLength(3)};
  return {.name = "recording", .observation = std::move(observation)};
}

// 412 packets were refused in the second one; the ledger of the first said 0 of the whole time.
TEST(Joined, NothingThatWasCountedForAPartSpeaksForAll) {
  std::vector<Recording> both = {recording(10, 12, 0), recording(100, 102, 4)};
  const auto all = joined(both);
  ASSERT_TRUE(all.has_value());
  EXPECT_DOUBLE_EQ(all->seconds, 92);
  EXPECT_TRUE(all->ledgers.empty());
  EXPECT_EQ(all->tracing, std::nullopt);
  EXPECT_EQ(all->samples.begin()->second.count, 20U);
  EXPECT_EQ(all->samples.begin()->second.full, 4U);
  ASSERT_EQ(all->after.blind_spots.size(), 1U);
  EXPECT_EQ(all->after.blind_spots[0].id, "AQ614");
}

TEST(Joined, OneStaysAsItIs) {
  std::vector<Recording> one = {recording(10, 12, 5)};
  const auto all = joined(one);
  ASSERT_TRUE(all.has_value());
  EXPECT_EQ(*all, recording(10, 12, 5).observation);
}

TEST(Joined, RefusesWhatIsNoSequence) {
  std::vector<Recording> reversed = {recording(100, 102, 0), recording(10, 12, 0)};
  EXPECT_FALSE(joined(reversed).has_value());
  std::vector<Recording> strange = {recording(10, 12, 0), recording(100, 102, 0)};
  strange[1].observation.before.host.boot_id = "another";
  EXPECT_FALSE(joined(strange).has_value());
}

}  // namespace
}  // namespace acceptq::facts
