#include "collect/nfs_mounts.h"

#include <gtest/gtest.h>

namespace acceptq::collect {
namespace {

TEST(NfsBetween, CountsWhatHappened) {
  evidence::NfsMountStats before{.source = "a:/b", .mountpoint = "/b", .type = "nfs4"};
  before.totals = {.operations = 100, .transmissions = 101, .round_trip_ms = 10};
  evidence::NfsMountStats after = before;
  after.totals = {.operations = 120, .transmissions = 123, .round_trip_ms = 2410};
  const auto mounts = nfs_between({before}, {after});
  ASSERT_EQ(mounts.size(), 1U);
  EXPECT_EQ(mounts[0].operations, 20U);
  EXPECT_EQ(mounts[0].repeated, 2U);
  EXPECT_EQ(mounts[0].round_trip_ms, 2400U);
  EXPECT_EQ(nfs_between({after}, {before})[0].operations, std::nullopt);
  EXPECT_EQ(nfs_between({}, {after})[0].operations, std::nullopt);
}

}  // namespace
}  // namespace acceptq::collect
