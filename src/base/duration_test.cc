#include "base/duration.h"

#include <gtest/gtest.h>

namespace acceptq {
namespace {

TEST(ParseDuration, IsStrict) {
  EXPECT_EQ(parse_duration("2s"), 2.0);
  EXPECT_EQ(parse_duration("500ms"), 0.5);
  EXPECT_EQ(parse_duration("1.5s"), 1.5);
  EXPECT_EQ(parse_duration("10m"), 600.0);
  EXPECT_EQ(parse_duration("12h"), 43200.0);
  for (const char* bad : {"", "2", "s", "-1s", "2 s", "2sec", "1e3s", "nan", ".s", "1..5s"}) {
    EXPECT_EQ(parse_duration(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace acceptq
