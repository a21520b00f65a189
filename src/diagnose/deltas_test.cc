#include "diagnose/deltas.h"

#include <gtest/gtest.h>

namespace acceptq::diagnose {
namespace {

TEST(CounterGrowth, TellsAWrapFromARestart) {
  EXPECT_EQ(counter_growth(5, 7), 2U);
  EXPECT_EQ(counter_growth(7, 7), 0U);
  EXPECT_EQ(counter_growth(0xFFFFFFFFFFFFFFFEU, 3), 5U);
  EXPECT_EQ(counter_growth(0xFFFFFFFEU, 3), 5U);
  EXPECT_EQ(counter_growth(12178939, 3), std::nullopt);
  EXPECT_EQ(counter_growth(1, 0), std::nullopt);
}

TEST(SocketDropsGrowth, IsModulo32Bits) {
  EXPECT_EQ(socket_drops_growth(0xFFFFFFFFU, 1), 2U);
  EXPECT_EQ(socket_drops_growth(10, 12), 2U);
}

facts::Namespace with(std::uint64_t overflows, std::optional<std::uint64_t> cookie) {
  facts::Namespace ns;
  ns.id = NetnsId(7);
  ns.cookie = cookie;
  ns.counters["TcpExtListenOverflows"] = overflows;
  return ns;
}

TEST(NamespaceDelta, ComparesOnlyOneAndTheSame) {
  const facts::Namespace before = with(10, 1);
  const facts::Namespace after = with(15, 1);
  const facts::Namespace other = with(15, 2);
  EXPECT_EQ(NamespaceDelta(&before, &after).delta("TcpExtListenOverflows"), 5U);
  EXPECT_EQ(NamespaceDelta(&before, &other).delta("TcpExtListenOverflows"), std::nullopt);
  EXPECT_EQ(NamespaceDelta(nullptr, &after).delta("TcpExtListenOverflows"), std::nullopt);
  EXPECT_EQ(NamespaceDelta(nullptr, &after).total("TcpExtListenOverflows"), 15U);
  EXPECT_EQ(NamespaceDelta(&before, &after).delta("NoSuchCounter"), std::nullopt);
}

}  // namespace
}  // namespace acceptq::diagnose
