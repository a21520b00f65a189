#include "diagnose/deltas.h"

#include <gtest/gtest.h>

namespace acceptq::diagnose {
namespace {

TEST(CounterGrowth, TellsGrowthWrapAndRestartApart) {
  constexpr std::uint64_t k32 = std::uint64_t{1} << 32;
  constexpr std::uint64_t kMax = ~std::uint64_t{0};
  EXPECT_EQ(counter_growth(5, 5), 0U);
  EXPECT_EQ(counter_growth(5, 417), 412U);
  EXPECT_EQ(counter_growth(k32 - 10, k32 + 10), 20U);
  EXPECT_EQ(counter_growth(k32 - 10, 10), 20U);
  EXPECT_EQ(counter_growth(k32 - 1, 0), 1U);
  EXPECT_EQ(counter_growth(kMax, 0), 1U);
  EXPECT_EQ(counter_growth(kMax - 9, 10), 20U);
  EXPECT_EQ(counter_growth(12178939, 3), std::nullopt);
  EXPECT_EQ(counter_growth(1, 0), std::nullopt);
  EXPECT_EQ(counter_growth(k32 - 10, k32 / 2), std::nullopt);
  EXPECT_EQ(counter_growth(k32 + 10, 10), std::nullopt);
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
