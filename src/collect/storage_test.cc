#include "collect/storage.h"

#include <gtest/gtest.h>

namespace acceptq::collect {
namespace {

constexpr std::string_view kMounts =
    "22 1 254:1 / / rw - ext4 /dev/vda1 rw\n"
    "69 27 0:41 / /mnt/a\\040b ro - fuse.sshfs host:/ ro,user_id=0\n"
    "70 27 0:42 / /mnt/c ro - fuse rclone ro\n"
    "71 27 0:41 / /again ro - fuse.sshfs host:/ ro\n"
    "72 27 0:43 / /sys/fs/fuse/connections rw - fusectl fusectl rw\n"
    "73 27 8:1 / /win rw - fuseblk /dev/sda1 rw\n";

TEST(FuseMounts, AreFoundByDevice) {
  const auto all = parse_fuse_mounts(kMounts, {});
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].mountpoint, "/mnt/a b");
  EXPECT_EQ(all[0].type, "fuse.sshfs");
  EXPECT_EQ(all[0].device, 41U);
  const std::uint64_t wanted[] = {42};
  const auto one = parse_fuse_mounts(kMounts, wanted);
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(one[0].mountpoint, "/mnt/c");
  EXPECT_TRUE(parse_fuse_mounts("nonsense\n69 27", {}).empty());
}

TEST(FuseConnection, IsTold) {
  EXPECT_EQ(parse_fuse_connection("pos:\t0\nino:\t90\nfuse_connection:\t41\n"), 41U);
  EXPECT_EQ(parse_fuse_connection("pos:\t0\n"), std::nullopt);
  EXPECT_EQ(parse_fuse_connection("fuse_connection:\tx\n"), std::nullopt);
}

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
