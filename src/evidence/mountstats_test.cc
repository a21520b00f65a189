#include "evidence/mountstats.h"

#include <gtest/gtest.h>

namespace acceptq::evidence {
namespace {

constexpr const char* kText =
    "device proc mounted on /proc with fstype proc\n"
    "device 10.0.0.9:/data mounted on /srv/ht\\040ml with fstype nfs4 statvers=1.1\n"
    "\topts:\trw,vers=4.1,hard,proto=tcp\n"
    "\tevents:\t52 1043 0 0 22 11 2101 0 0 312\n"
    "\tRPC iostats version: 1.1  p/v: 100003/4 (nfs)\n"
    "\txprt:\ttcp 0 0 1 0 12 211 211 0 300 0 2 89 210\n"
    "\tper-op statistics\n"
    "\t        NULL: 1 1 0 44 24 0 0 0 0\n"
    "\t        READ: 100 103 1 16400 409600 5 23000 24000 0\n"
    "\t        OPEN: 10 10 0 3000 4000 1 900 1000\n"  // without the errors of Linux 5.3
    "device 10.0.0.8:/other mounted on /mnt with fstype nfs\n";

TEST(Mountstats, SumsUpEachMountsOperations) {
  const auto mounts = parse_mountstats(kText);
  ASSERT_EQ(mounts.size(), 2U);
  EXPECT_EQ(mounts[0], (NfsMountStats{.source = "10.0.0.9:/data",
                                      .mountpoint = "/srv/ht ml",
                                      .type = "nfs4",
                                      .totals = {.operations = 111,
                                                 .transmissions = 114,
                                                 .major_timeouts = 1,
                                                 .queue_ms = 6,
                                                 .round_trip_ms = 23900,
                                                 .execute_ms = 25000}}));
  EXPECT_EQ(mounts[1].source, "10.0.0.8:/other");
  EXPECT_EQ(mounts[1].totals, NfsTotals{});
}

TEST(Mountstats, PassesOverWhatIsNotOfItsForm) {
  EXPECT_TRUE(parse_mountstats("").empty());
  EXPECT_TRUE(parse_mountstats("device a mounted on").empty());
  EXPECT_TRUE(parse_mountstats("per-op statistics\nREAD: 1 1 0 0 0 0 0 0\n").empty());
  const auto hostile = parse_mountstats(
      "device a:/b mounted on /c with fstype nfs4\nper-op statistics\nREAD: 1 -1 0 0 0 0 0 0\n"
      "OPEN: 1 1 0 0 0 0 0\nCLOSE 1 1 0 0 0 0 0 0\n");
  ASSERT_EQ(hostile.size(), 1U);
  EXPECT_EQ(hostile[0].totals, NfsTotals{});
}

}  // namespace
}  // namespace acceptq::evidence
