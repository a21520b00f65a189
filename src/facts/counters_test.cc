#include "facts/counters.h"

#include <gtest/gtest.h>

namespace acceptq::facts {
namespace {

TEST(Counters, AreFoundByName) {
  Counters counters = {{"TcpExtListenDrops", 7}, {"TcpExtA", 1}};
  counters["TcpPassiveOpens"] += 5;
  counters["TcpExtA"] = 2;
  EXPECT_EQ(counters.size(), 3U);
  EXPECT_EQ(counters.find("TcpExtA")->second, 2U);
  EXPECT_EQ(counters.find("TcpPassiveOpens")->second, 5U);
  EXPECT_EQ(counters.find("TcpExt"), counters.end());
  EXPECT_FALSE(counters.contains("TcpExtZ"));
  std::string names;
  for (const auto& [name, value] : counters) names += name.str() + " ";
  EXPECT_EQ(names, "TcpExtA TcpExtListenDrops TcpPassiveOpens ");
}

TEST(Counters, AreSortedOnce) {
  const Counters counters({{CounterName("b"), 2}, {CounterName("a"), 1}});
  EXPECT_EQ(counters, (Counters{{"a", 1}, {"b", 2}}));
  EXPECT_EQ(CounterName("a"), CounterName(std::string("a")));
}

}  // namespace
}  // namespace acceptq::facts
