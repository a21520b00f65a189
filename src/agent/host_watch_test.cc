#include "agent/host_watch.h"

#include <gtest/gtest.h>

#include "agent/agent_test_support.h"
#include "collect/watch_test_support.h"

namespace acceptq::agent {
namespace {

class HostWatchTest : public testing::Test {
 protected:
  HostWatchTest() {
    const facts::Observation calm =
        make_observation(5, {make_socket(1, 10)}, {make_pod_process(10, "nginx")});
    host_.snapshot = calm.after;
    host_.snapshot.scan_method = "iterator";
    host_.snapshot.namespaces[0].counters["TcpExtListenDrops"] = 0;
  }

  // Observations until a second of the clock.
  std::vector<facts::Observation> watch_until(std::int64_t second) {
    std::vector<facts::Observation> all;
    while (host_.now_ns() < second * kTestSecond) {
      watch_.tend(second * kTestSecond);
      if (auto next = watch_.next(); next && *next) all.push_back(std::move(**next));
    }
    return all;
  }
  std::uint64_t& drops() { return host_.snapshot.namespaces[0].counters["TcpExtListenDrops"]; }

  collect::ScriptedHost host_;
  collect::ScriptedHandshakes handshakes_;
  collect::ScriptedThreads threads_;
  HostWatch watch_{5 * kTestSecond, true, host_, handshakes_, threads_};
};

TEST_F(HostWatchTest, LooksAtItsIntervalWhileAllIsWell) {
  ASSERT_TRUE(watch_.begin());
  const auto all = watch_until(61);
  EXPECT_EQ(all.size(), 12U);
  for (std::size_t i = 1; i < all.size(); ++i) {
    EXPECT_EQ(all[i].before.monotonic_ns, all[i - 1].after.monotonic_ns) << "nothing is lost";
  }
}

TEST_F(HostWatchTest, LooksMoreOftenWhileAListenerRefusesAndSomeTimeAfter) {
  ASSERT_TRUE(watch_.begin());
  watch_until(21);
  drops() += 5;
  host_.script.emplace(40 * kTestSecond, [this] { drops() += 5; });
  EXPECT_GE(watch_until(50).size(), 10U) << "every 2 s, where it were every 5";
  watch_until(60);
  EXPECT_LE(watch_until(90).size(), 6U);
}

TEST_F(HostWatchTest, LooksAtOnceMoreOftenWhenAQueueFills) {
  ASSERT_TRUE(watch_.begin());
  host_.script.emplace(20 * kTestSecond,
                       [this] { host_.snapshot.listeners[0].accept_queue_len = QueueLength(100); });
  watch_until(21);
  EXPECT_GE(watch_until(31).size(), 4U);
}

TEST_F(HostWatchTest, ARefusalThatWasToldWakesIt) {
  ASSERT_TRUE(watch_.begin());
  watch_until(12);
  handshakes_.told.emplace_back();
  EXPECT_GE(watch_until(22).size(), 4U);
}

// What is refused while the counters are read, which takes milliseconds each time.
TEST_F(HostWatchTest, NothingIsLostBetweenTwoObservations) {
  handshakes_.so_far.ledgers = {make_ledger(host_.snapshot.listeners[0], 0)};
  ASSERT_TRUE(watch_.begin());
  watch_until(7);
  host_.while_counting = [this] {
    handshakes_.so_far.ledgers[0].set(facts::LedgerTerm::kSynRefusedAcceptFull, 19);
  };
  std::uint64_t refused = 0;
  for (const facts::Observation& observation : watch_until(30)) {
    for (const facts::Ledger& ledger : observation.ledgers) refused += refused_packets(ledger);
  }
  EXPECT_EQ(refused, 19U);
}

// It may be gone with the next scan.
TEST_F(HostWatchTest, LooksWhoItIsThatRefusesWhereNobodyKnows) {
  ASSERT_TRUE(watch_.begin());
  watch_until(12);
  handshakes_.told.push_back({.netns = kPodNetns, .cookie = SocketCookie(99), .port = 99});
  watch_.tend(host_.now_ns() + kTestSecond);
  EXPECT_TRUE(watch_.next());
}

// 500 ms each: at a two-hundredth of one core, one in 100 s.
TEST_F(HostWatchTest, ASlowScanComesLessOften) {
  host_.scan_ns = 500'000'000;
  ASSERT_TRUE(watch_.begin());
  EXPECT_LE(watch_until(402).size(), 5U);
}

}  // namespace
}  // namespace acceptq::agent
