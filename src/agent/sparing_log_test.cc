#include "agent/sparing_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace acceptq::agent {
namespace {

TEST(SparingLogTest, SaysHowMuchItLeftOut) {
  std::vector<std::string> lines;
  SparingLog log(10, [&](const std::string& line) { lines.push_back(line); });
  for (int i = 0; i < 5; ++i) log.say(100, "no token");
  log.say(110, "no token");
  log.say(120, "no place");
  EXPECT_THAT(lines,
              testing::ElementsAre("no token", "no token (4 lines were left out before this one)",
                                   "no place"));
}

}  // namespace
}  // namespace acceptq::agent
