// Counters that the iterator read: what /proc/net says of the same namespace.
#include <gtest/gtest.h>

#include <string>

#include "collect/scan.h"
#include "support/kernel_counters.h"
#include "support/netns.h"
#include "support/traffic.h"

namespace acceptq::collect {
namespace {

constexpr const char* kOverflows = "TcpExtListenOverflows";

TEST(ScanCounters, OfTheListenPathAreTheKernelsOwn) {
  if (!test::may_unshare()) GTEST_SKIP() << "needs root, to make a network namespace";
  constexpr std::uint16_t kPort = 8080;
  const test::TestNetns ns;
  UniqueFd listener;
  std::vector<UniqueFd> clients;
  ns.run([&] {
    listener = test::listen_tcp("127.0.0.1", kPort, 1);
    clients = test::connect_many("127.0.0.1", kPort, 5);
  });
  EXPECT_TRUE(test::eventually([&] { return test::counters_of(ns).at(kOverflows) > 0; }));

  Scanner scanner({.only_listen_counters = true});
  // Where no iterator loads, fast scans go by what the first found.
  ASSERT_TRUE(scanner.scan(ScanDepth::kFirst).has_value());
  // Clients try again: what was read lies between what was there before and after.
  for (int pass = 0; pass < 3; ++pass) {
    const facts::Counters before = test::counters_of(ns);
    const Result<facts::Snapshot> snapshot = scanner.scan(ScanDepth::kFast);
    const facts::Counters after = test::counters_of(ns);
    ASSERT_TRUE(snapshot.has_value()) << snapshot.error().message();
    const facts::Namespace* seen = facts::find_namespace(*snapshot, ns.id());
    ASSERT_NE(seen, nullptr);
    EXPECT_TRUE(seen->counters.contains(kOverflows));
    EXPECT_TRUE(seen->counters.contains("TcpPassiveOpens"));
    for (const auto& [name, value] : seen->counters) {
      EXPECT_GE(value, before.at(name)) << name.str();
      EXPECT_LE(value, after.at(name)) << name.str();
    }
  }
}

}  // namespace
}  // namespace acceptq::collect
