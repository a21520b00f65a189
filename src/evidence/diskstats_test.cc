#include "evidence/diskstats.h"

#include <gtest/gtest.h>

namespace acceptq::evidence {
namespace {

TEST(Diskstats, TellsWhatEachDeviceDid) {
  // As Linux 6.1, 5.4 (no flushes) and 4.17 (no discards) write it.
  const auto disks = parse_diskstats(
      " 254       0 vda 27331 9084 2254370 9216 91 78 2432 70 0 8900 9336 0 0 0 0 27 49\n"
      " 254       1 vda1 100 0 800 90 4 0 32 7 2 77 97 0 0 0 0\n"
      " 253       0 dm-0 12 0 96 6100 1 0 8 500 3 1980 6600\n");
  ASSERT_EQ(disks.size(), 3U);
  EXPECT_EQ(disks[0].name, "vda");
  EXPECT_EQ(disks[0].device, 254U << 20);
  EXPECT_EQ(disks[1].device, 254U << 20 | 1);
  EXPECT_EQ(disks[2], (DiskStats{.device = 253U << 20,
                                 .name = "dm-0",
                                 .counts = {.reads = 12,
                                            .read_ms = 6100,
                                            .writes = 1,
                                            .write_ms = 500,
                                            .in_flight = 3,
                                            .busy_ms = 1980}}));
}

TEST(Diskstats, PassesOverWhatIsNotOfItsForm) {
  EXPECT_TRUE(parse_diskstats("").empty());
  EXPECT_TRUE(parse_diskstats("8 0 sda 1 2 3 4 5 6 7 8 9\n").empty());  // cut off
  EXPECT_TRUE(parse_diskstats("8 1048576 sda 1 2 3 4 5 6 7 8 9 10\n").empty());
  EXPECT_TRUE(parse_diskstats("4096 0 sda 1 2 3 4 5 6 7 8 9 10\n").empty());
  EXPECT_TRUE(parse_diskstats("8 0 sda 1 2 3 -4 5 6 7 8 9 10\n").empty());
  EXPECT_EQ(parse_diskstats("x\n8 0 sda 1 2 3 4 5 6 7 8 9 10").size(), 1U);
}

}  // namespace
}  // namespace acceptq::evidence
