// nstat without -a: what has grown since its user ran it last.
#include "import/import_test_support.h"

namespace acceptq::imports {
namespace {

constexpr const char* kGrown =
    "#kernel\n"
    "TcpPassiveOpens                 40                 0.0\n"
    "TcpExtListenOverflows           412                0.0\n"
    "TcpExtListenDrops               412                0.0\n";

const facts::Pasted& pasted(const Observation& observation) {
  return *observation.after.namespaces.at(0).pasted;
}

TEST(Increments, AreNoTotals) {
  struct Case {
    std::string text;
    std::optional<double> seconds;
  };
  const std::string grown = kGrown;
  const Case cases[] = {
      {"$ nstat\n" + grown, std::nullopt},
      {"$ nstat | grep -E 'Listen|Passive'\n" + grown, std::nullopt},
      {"$ nstat -n; sleep 10; nstat\n" + grown, 10},
      {"$ nstat >/dev/null && sleep 5 && nstat\n" + grown, 5},
      {"$ nstat -n\n$ sleep 20\n$ nstat\n" + grown, 20},
      {"$ nstat\nTcpExtListenOverflows 9 0.0\n$ sleep 30\n$ nstat\n" + grown, 30}};
  for (const Case& each : cases) {
    const Observation observation = import_one(each.text);
    ASSERT_EQ(observation.after.namespaces.size(), 1U) << each.text;
    EXPECT_TRUE(pasted(observation).increments) << each.text;
    EXPECT_TRUE(pasted(observation).compared) << each.text;
    EXPECT_EQ(pasted(observation).seconds, each.seconds) << each.text;
    EXPECT_EQ(counter(observation.before, "TcpExtListenOverflows"), 0U) << each.text;
    EXPECT_EQ(counter(observation.after, "TcpExtListenOverflows"), 412U) << each.text;
  }
}

TEST(Increments, WhatHasNotGrownIsNotPrinted) {
  const Observation whole = import_one("$ nstat\n#kernel\nTcpPassiveOpens 40 0.0\n");
  EXPECT_EQ(counter(whole.after, "TcpExtListenOverflows"), 0U);
  const Observation cut = import_one("$ nstat | grep Passive\nTcpPassiveOpens 40 0.0\n");
  EXPECT_EQ(counter(cut.after, "TcpExtListenOverflows"), std::nullopt);
}

TEST(Increments, BesideTotalsSayNothingMore) {
  const Observation observation = import_one("$ nstat\n" + std::string(kGrown) +
                                             "$ nstat -az\nTcpExtListenOverflows 12178939 0.0\n");
  EXPECT_FALSE(pasted(observation).increments);
  EXPECT_EQ(counter(observation.after, "TcpExtListenOverflows"), 12178939U);
}

// What was read before nstat had a history is from the beginning.
TEST(Increments, WithOptionsThatForgetAreTotals) {
  for (const char* command : {"nstat -a", "nstat -az", "nstat -r", "nstat -az | grep Listen"}) {
    const Observation observation =
        import_one("$ " + std::string(command) + "\nTcpExtListenOverflows 412 0.0\n");
    EXPECT_FALSE(pasted(observation).increments) << command;
  }
}

}  // namespace
}  // namespace acceptq::imports
