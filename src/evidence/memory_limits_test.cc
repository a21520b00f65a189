#include "evidence/memory_limits.h"

#include <gtest/gtest.h>

namespace acceptq::evidence {
namespace {

TEST(MemoryLimits, OfBothVersions) {
  EXPECT_EQ(parse_memory_limit("50003968\n"), 50003968U);
  EXPECT_EQ(parse_memory_limit("0\n"), 0U);
  EXPECT_FALSE(parse_memory_limit("max\n"));
  EXPECT_FALSE(parse_memory_limit("9223372036854771712\n"));
  EXPECT_FALSE(parse_memory_limit(""));
  EXPECT_FALSE(parse_memory_limit("-1"));
}

TEST(MemoryLimits, Events) {
  EXPECT_EQ(parse_memory_events("low 0\nhigh 321\nmax 7\noom 0\noom_kill 0\n"),
            (MemoryEvents{.high = 321, .max = 7}));
  EXPECT_FALSE(parse_memory_events("high 321\n"));
  EXPECT_FALSE(parse_memory_events("high x\nmax 1\n"));
}

TEST(MemoryLimits, Stalls) {
  EXPECT_EQ(parse_stalled_us("some avg10=1.53 avg60=0.87 avg300=1.73 total=1088168194\n"
                             "full avg10=0.00 avg60=0.00 avg300=0.00 total=1\n"),
            1088168194U);
  EXPECT_FALSE(parse_stalled_us("full avg10=0.00 total=1\n"));
  EXPECT_FALSE(parse_stalled_us("some avg10=1.53\nsome\n"));
}

}  // namespace
}  // namespace acceptq::evidence
