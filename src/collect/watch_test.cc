#include "collect/watch.h"

#include <gtest/gtest.h>

#include "collect/await_overflow.h"
#include "collect/handshake_sampler.h"
#include "collect/queue_sampler.h"
#include "collect/watch_test_support.h"

namespace acceptq::collect {
namespace {

using facts::LedgerTerm;

constexpr NetnsId kNetns{4026532000};

facts::Listener listener_at(std::uint16_t port, std::uint32_t waiting = 0) {
  facts::Listener listener;
  listener.netns = kNetns;
  listener.port = port;
  listener.cookie = SocketCookie(port);
  listener.inode = SocketInode(port);
  listener.limit = QueueLimit(128);
  listener.accept_queue_len = QueueLength(waiting);
  return listener;
}

class WatchTest : public testing::Test {
 protected:
  WatchTest() {
    facts::Namespace ns;
    ns.id = kNetns;
    ns.counters["TcpExtListenDrops"] = 0;
    host_.snapshot.namespaces = {ns};
    host_.snapshot.scan_method = "iterator";
  }

  void listen(std::uint16_t port, std::uint32_t waiting = 0) {
    host_.snapshot.listeners.push_back(listener_at(port, waiting));
    facts::Ledger ledger;
    ledger.netns = kNetns;
    ledger.port = port;
    ledger.cookie = SocketCookie(port);
    ledger.set(LedgerTerm::kSynRefusedAcceptFull, 0);
    traced_.so_far.ledgers.push_back(ledger);
  }
  facts::Ledger& ledger_of(std::uint16_t port) {
    return *std::ranges::find(traced_.so_far.ledgers, port, &facts::Ledger::port);
  }
  // Counted, and told of as well where there is room for that.
  void refuse(std::uint16_t port, bool is_told) {
    facts::Ledger& ledger = ledger_of(port);
    ledger.set(LedgerTerm::kSynRefusedAcceptFull, *ledger[LedgerTerm::kSynRefusedAcceptFull] + 1);
    ++host_.snapshot.namespaces[0].counters["TcpExtListenDrops"];
    if (!is_told) return;
    facts::Refusal refusal;
    refusal.at_ns = host_.now_ns();
    refusal.netns = kNetns;
    refusal.cookie = SocketCookie(port);
    refusal.port = port;
    traced_.told.push_back(refusal);
  }
  void at(double second, std::function<void()> what) {
    host_.script.emplace(static_cast<std::int64_t>(second * kSecond), std::move(what));
  }
  Result<facts::Observation> await(double seconds, std::uint16_t port) {
    const AwaitOptions options{
        .seconds = seconds,
        .concerns = [port](const facts::Snapshot&, const facts::Listener& listener) {
          return listener.port == port;
        }};
    return await_overflow(options, host_, traced_, threads_);
  }

  // A watch of the refusals, from now on.
  Result<facts::Observation> follow_course_until(std::int64_t end_ns) {
    HandshakeSampler handshakes(host_, traced_);
    handshakes.follow_course();
    Watch watch(host_, {&handshakes});
    if (Status begun = watch.begin(); !begun) return fail(begun.error());
    while (host_.now_ns() < end_ns) watch.tend(end_ns);
    return watch.finish(watch.first());
  }

  ScriptedHost host_;
  ScriptedHandshakes traced_;
  ScriptedThreads threads_;
};

TEST_F(WatchTest, TheCourseOfRefusalsAddsUpToWhatWasRefused) {
  listen(80);
  host_.script.emplace(2 * kSecond, [this] { refuse(80, false); });
  host_.script.emplace(4 * kSecond, [this] {
    refuse(80, false);
    refuse(80, false);
  });
  const auto observation = follow_course_until(6 * kSecond);
  ASSERT_TRUE(observation);
  const facts::Ledger& ledger = observation->ledgers.at(0);
  ASSERT_TRUE(ledger.course);
  EXPECT_EQ(facts::total(*ledger.course).refused, 3U);
  ASSERT_EQ(ledger.course->parts.size(), 2U);
  EXPECT_EQ(ledger.course->parts[0].refused, 1U);
  const auto between = ledger.course->parts[1].index - ledger.course->parts[0].index;
  EXPECT_NEAR(static_cast<double>(between) * static_cast<double>(ledger.course->part_ns), 2e9, 2e8);
}

// A look that is late, as the first often is, has no burst at its end.
TEST_F(WatchTest, WhatALateLookFindsIsOfAllTheTimeBefore) {
  listen(80);
  host_.scan_ns = kSecond;
  for (int i = 1; i < 12; ++i) {
    host_.script.emplace(kSecond + i * kSecond / 12, [this] { refuse(80, false); });
  }
  const auto observation = follow_course_until(6 * kSecond);
  ASSERT_TRUE(observation);
  const auto& course = observation->ledgers.at(0).course;
  ASSERT_TRUE(course);
  EXPECT_EQ(facts::total(*course).refused, 11U);
  for (const facts::CoursePart& part : course->parts) EXPECT_LE(part.refused, 2U);
}

TEST_F(WatchTest, EachFrameHasWhatHappenedInIt) {
  listen(80);
  QueueSampler queues(host_, kDenseSampling);
  HandshakeSampler handshakes(host_, traced_);
  Watch watch(host_, {&queues, &handshakes});
  ASSERT_TRUE(watch.begin().has_value());
  const auto frame_of_a_second = [&](Mark from) {
    const std::int64_t end = host_.now_ns() + kSecond;
    while (host_.now_ns() < end) watch.tend(end);
    const Result<Mark> to = watch.mark();
    EXPECT_TRUE(to.has_value());
    return std::pair(*to, watch.between(from, *to));
  };
  refuse(80, false);
  host_.snapshot.listeners[0].accept_queue_len = QueueLength(7);
  const auto [second, first_frame] = frame_of_a_second(watch.first());
  ASSERT_EQ(first_frame.ledgers.size(), 1U);
  EXPECT_EQ(first_frame.ledgers[0][LedgerTerm::kSynRefusedAcceptFull], 1U);
  EXPECT_GE(first_frame.samples.begin()->second.count, 15U);
  EXPECT_EQ(first_frame.samples.begin()->second.longest, QueueLength(7));
  EXPECT_NEAR(first_frame.seconds, 1, 0.1);
  EXPECT_EQ(handshakes.totals(second).size(), 1U);

  host_.snapshot.listeners[0].accept_queue_len = QueueLength(2);
  const auto [third, second_frame] = frame_of_a_second(second);
  EXPECT_EQ(second_frame.ledgers[0][LedgerTerm::kSynRefusedAcceptFull], 0U);
  EXPECT_EQ(second_frame.samples.begin()->second.longest, QueueLength(2));
}

TEST_F(WatchTest, AnIncidentHasABeforeAndEndsWhenItIsQuiet) {
  listen(80);
  at(60, [this] { host_.snapshot.listeners[0].accept_queue_len = QueueLength(129); });
  for (int i = 0; i < 20; ++i) at(60 + i * 0.1, [this] { refuse(80, true); });
  at(62, [this] { host_.snapshot.listeners[0].accept_queue_len = QueueLength(0); });
  const auto observation = await(600, 80);
  ASSERT_TRUE(observation.has_value());
  ASSERT_TRUE(observation->incident.has_value());
  const std::int64_t begin = observation->before.monotonic_ns;
  EXPECT_EQ(observation->incident->at_ns, 60 * kSecond);
  EXPECT_LE(begin, 50 * kSecond);
  EXPECT_GE(begin, 38 * kSecond);
  EXPECT_NEAR(static_cast<double>(observation->after.monotonic_ns) / kSecond, 64.9, 0.2);
  EXPECT_EQ(observation->ledgers.at(0)[LedgerTerm::kSynRefusedAcceptFull], 20U);
  const auto& line = observation->timeline.begin()->second;
  EXPECT_LT(line.front().at_ns, 52 * kSecond);
  EXPECT_EQ(line.front().length, QueueLength(0));
  EXPECT_EQ(line.back().at_ns, observation->after.monotonic_ns) << "it ends with what is reported";
  EXPECT_EQ(std::ranges::max(line, {}, &facts::QueuePoint::length).length, QueueLength(129));
}

// A neighbour that refuses hundreds a second takes the room for telling of single refusals.
TEST_F(WatchTest, ABurstIsNoticedThoughNoneOfItsRefusalsIsTold) {
  listen(80);
  listen(81);
  for (int i = 0; i < 600; ++i) at(2 + i * 0.1, [this] { refuse(81, true); });
  for (int i = 0; i < 30; ++i) at(30 + i * 0.01, [this] { refuse(80, false); });
  const auto observation = await(60, 80);
  ASSERT_TRUE(observation.has_value());
  ASSERT_TRUE(observation->incident.has_value());
  EXPECT_LE(observation->incident->at_ns, 36 * kSecond);
  EXPECT_GE(observation->incident->at_ns, 30 * kSecond);
}

// It is in the books that all observations begin with: an incident without a refusal is none.
TEST_F(WatchTest, ARefusalOfTheFirstScanIsNoIncident) {
  listen(80);
  refuse(80, true);
  const auto observation = await(20, 80);
  ASSERT_TRUE(observation.has_value());
  EXPECT_FALSE(observation->incident.has_value());
}

TEST_F(WatchTest, OnlyWhatConcernsEndsTheWait) {
  listen(80);
  listen(81);
  for (int i = 0; i < 100; ++i) at(2 + i, [this] { refuse(81, true); });
  const auto observation = await(60, 80);
  ASSERT_TRUE(observation.has_value());
  EXPECT_FALSE(observation->incident.has_value());
  EXPECT_TRUE(observation->timeline.empty());
  EXPECT_NEAR(observation->seconds, 60, 0.5);
}

TEST_F(WatchTest, WithoutTracingTheCountersTell) {
  traced_.is_traced = false;
  listen(80);
  at(20, [this] { refuse(80, false); });
  const auto observation = await(60, 80);
  ASSERT_TRUE(observation.has_value());
  ASSERT_TRUE(observation->incident.has_value());
  EXPECT_LE(observation->incident->at_ns, 22 * kSecond);
}

TEST_F(WatchTest, AListenerThatEndsInTheIncidentIsStillInIt) {
  listen(80);
  host_.snapshot.processes = {{.pid = Pid(7), .comm = "server"}};
  host_.snapshot.listeners[0].owners = {{.pid = Pid(7), .fd = 3}};
  at(20, [this] { refuse(80, true); });
  at(21, [this] {
    ledger_of(80).closed_at_ns = host_.now_ns();
    host_.snapshot.listeners.clear();
    host_.snapshot.processes.clear();
  });
  const auto observation = await(60, 80);
  ASSERT_TRUE(observation.has_value());
  ASSERT_EQ(observation->after.listeners.size(), 1U);
  EXPECT_TRUE(observation->after.listeners[0].closed);
  EXPECT_EQ(observation->after.processes.size(), 1U);
}

// What listens since the last scan is looked for when the first refusal of it comes.
TEST_F(WatchTest, ANewListenerIsFoundByItsFirstRefusal) {
  at(11.2, [this] {
    listen(80);
    refuse(80, true);
  });
  const auto observation = await(60, 80);
  ASSERT_TRUE(observation.has_value());
  ASSERT_TRUE(observation->incident.has_value());
  EXPECT_NEAR(static_cast<double>(observation->incident->at_ns) / kSecond, 11.2, 0.1);
}

// On a host where a scan takes 3 s, scans are a hundredth of the time.
TEST_F(WatchTest, AStalledScanIsNotRepeatedAtOnce) {
  listen(80);
  host_.scan_ns = 3 * kSecond;
  const auto observation = await(900, 80);
  ASSERT_TRUE(observation.has_value());
  EXPECT_LE(host_.scans, 6);
  EXPECT_GE(host_.samples, 1000);
}

}  // namespace
}  // namespace acceptq::collect
