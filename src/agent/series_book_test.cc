#include "agent/series_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/agent_test_support.h"

namespace acceptq::agent {
namespace {

constexpr auto kSynAcceptFull = static_cast<std::size_t>(RefusedAs::kSynAcceptFull);
constexpr auto kUnknown = static_cast<std::size_t>(RefusedAs::kUnknown);

// The one series of a frame.
const ListenerSeries& only(const Frame& frame) {
  EXPECT_EQ(frame.listeners.size(), 1U);
  return frame.listeners.at(0).second;
}

TEST(SeriesBookTest, ASeriesIsThereAtZeroBeforeTheFirstRefusal) {
  SeriesBook book({});
  book.add(make_observation(5, {make_socket(1, 10)}, {make_pod_process(10, "nginx")}));
  const Frame frame = book.frame();
  const Labels& labels = frame.listeners.at(0).first;
  EXPECT_EQ(labels.ns, "shop");
  EXPECT_EQ(labels.pod, "web-1");
  EXPECT_EQ(labels.container, "nginx");
  EXPECT_EQ(labels.netns, "") << "a pod that is made again has another number";
  EXPECT_EQ(labels.address, "0.0.0.0");
  EXPECT_EQ(labels.port, "80");
  EXPECT_EQ(labels.process, "nginx");
  const ListenerSeries& series = only(frame);
  EXPECT_THAT(series.refused, testing::Each(0U));
  EXPECT_EQ(series.accepted, 0U);
  EXPECT_EQ(series.waits, Waits{});
  ASSERT_EQ(frame.namespaces.size(), 1U);
  EXPECT_EQ(frame.namespaces[0].first, (Labels{.ns = "shop", .pod = "web-1"}));
  EXPECT_EQ(frame.namespaces[0].second.counters.at("listen_overflows"), 7U);
}

TEST(SeriesBookTest, ARestartedServerGoesOnWithItsSeries) {
  SeriesBook book({});
  const facts::Listener old = make_socket(1, 10);
  facts::Observation first = make_observation(5, {old}, {make_pod_process(10, "nginx")});
  first.ledgers = {make_ledger(old, 40)};
  book.add(first);
  book.add(make_observation(10, {}, {}));
  {
    const Frame frame = book.frame();
    EXPECT_FALSE(only(frame).seen) << "absent never means zero";
    EXPECT_EQ(only(frame).refused[kSynAcceptFull], 40U);
  }
  const facts::Listener restarted = make_socket(2, 99);
  facts::Observation third = make_observation(15, {restarted}, {make_pod_process(99, "nginx")});
  third.ledgers = {make_ledger(restarted, 2)};
  book.add(third);
  const Frame frame = book.frame();
  EXPECT_EQ(only(frame).refused[kSynAcceptFull], 42U);
  EXPECT_EQ(only(frame).attempts_refused, 42U);
  EXPECT_EQ(only(frame).accepted, 20U);
}

TEST(SeriesBookTest, WhatIsGoneForLongIsForgotten) {
  SeriesBook book({.forget_ns = 60 * kTestSecond});
  book.add(make_observation(5, {make_socket(1, 10)}, {make_pod_process(10, "nginx")}));
  book.add(make_observation(65, {}, {}));
  EXPECT_EQ(book.frame().listeners.size(), 1U);
  book.add(make_observation(66, {}, {}));
  EXPECT_TRUE(book.frame().listeners.empty());
}

TEST(SeriesBookTest, SocketsOfOneAddressAreOneSeriesWithTheFullestQueue) {
  SeriesBook book({});
  book.add(make_observation(5, {make_socket(1, 10, 3), make_socket(2, 10, 90), make_socket(3, 10)},
                            {make_pod_process(10, "nginx")}));
  const Frame frame = book.frame();
  ASSERT_TRUE(only(frame).seen);
  EXPECT_EQ(only(frame).seen->sockets, 3U);
  EXPECT_EQ(only(frame).seen->length, QueueLength(90));
}

TEST(SeriesBookTest, TheHighestLengthOfTheLastMinuteStays) {
  SeriesBook book({});
  const facts::Listener full = make_socket(1, 10, 5);
  facts::Observation burst = make_observation(5, {full}, {make_pod_process(10, "nginx")});
  burst.samples[facts::listener_key(full)] = {.count = 9, .full = 0, .longest = QueueLength(100)};
  book.add(burst);
  const auto calm = [](std::int64_t second) {
    return make_observation(second, {make_socket(1, 10)}, {make_pod_process(10, "nginx")});
  };
  book.add(calm(60));
  EXPECT_EQ(only(book.frame()).longest, QueueLength(100));
  book.add(calm(70));
  EXPECT_EQ(only(book.frame()).longest, QueueLength(0));
}

TEST(SeriesBookTest, ItWasFullWhenItRefusedThoughNoSampleSawIt) {
  SeriesBook book({});
  const facts::Listener listener = make_socket(1, 10);
  facts::Observation observation = make_observation(5, {listener}, {make_pod_process(10, "nginx")});
  observation.ledgers = {make_ledger(listener, 1)};
  book.add(observation);
  EXPECT_EQ(only(book.frame()).longest, QueueLength(129));
}

TEST(SeriesBookTest, OneThatRefusesTakesTheRoomOfOneThatNeverDid) {
  SeriesBook book({.most_series = 1});
  facts::Listener other = make_socket(2, 11);
  other.port = 81;
  const std::vector<facts::Process> processes = {make_pod_process(10, "nginx"),
                                                 make_pod_process(11, "nginx")};
  book.add(make_observation(5, {make_socket(1, 10), other}, processes));
  EXPECT_EQ(book.frame().listeners.at(0).first.port, "80");
  EXPECT_EQ(book.frame().tally.unexported, 1U);
  facts::Observation refusing = make_observation(10, {make_socket(1, 10), other}, processes);
  refusing.ledgers = {make_ledger(other, 3)};
  book.add(refusing);
  const Frame frame = book.frame();
  EXPECT_EQ(frame.listeners.at(0).first.port, "81");
  EXPECT_EQ(only(frame).refused[kSynAcceptFull], 3U);
  EXPECT_EQ(frame.tally.unexported, 1U);
  EXPECT_EQ(frame.tally.listeners, 2U);
}

TEST(SeriesBookTest, RefusalsWithoutASeriesAreCounted) {
  SeriesBook book({.most_series = 0});
  const facts::Listener listener = make_socket(1, 10);
  facts::Observation observation = make_observation(5, {listener}, {make_pod_process(10, "nginx")});
  observation.ledgers = {make_ledger(listener, 4)};
  book.add(observation);
  EXPECT_EQ(book.frame().tally.unexported_refused, 4U);
}

TEST(SeriesBookTest, RefusalsOfWhatCameAndWentAreCounted) {
  SeriesBook book({});
  facts::Observation observation =
      make_observation(5, {make_socket(1, 10)}, {make_pod_process(10, "nginx")});
  facts::Listener gone = make_socket(2, 11);
  gone.port = 81;
  observation.ledgers = {make_ledger(gone, 6)};
  book.add(observation);
  EXPECT_EQ(book.frame().tally.unexported_refused, 6U);
}

TEST(SeriesBookTest, WaitsFallIntoTheirBuckets) {
  SeriesBook book({});
  const facts::Listener listener = make_socket(1, 10);
  facts::Observation observation = make_observation(5, {listener}, {make_pod_process(10, "nginx")});
  facts::Ledger ledger = make_ledger(listener, 0);
  constexpr std::uint64_t kOctave20 = (1ULL << 20) * 1000;
  ledger.time_in_queue_ns = {{.below = kOctave20, .count = 3},
                             {.below = kOctave20 / 4 * 5, .count = 2},
                             {.below = (1ULL << 30) * 1000, .count = 1}};
  observation.ledgers = {ledger};
  book.add(observation);
  const std::optional<Waits> waits = only(book.frame()).waits;
  ASSERT_TRUE(waits);
  EXPECT_EQ(waits->counts[5], 3U);
  EXPECT_EQ(waits->counts[6], 2U);
  EXPECT_EQ(waits->counts[kWaitBoundsNs.size()], 1U);
}

TEST(SeriesBookTest, WhatWasConcludedIsShown) {
  SeriesBook book({});
  const facts::Listener listener = make_socket(1, 10);
  facts::Observation observation = make_observation(5, {listener}, {make_pod_process(10, "nginx")});
  observation.tracing.reset();
  book.add(observation);
  EXPECT_EQ(book.unjudged(), std::set{kPodNetns});
  diagnose::Report report;
  report.listeners.push_back({.key = facts::listener_key(listener),
                              .limit_set_by = diagnose::LimitSetBy::kSomaxconn,
                              .refused = {.total = 6, .source = facts::Source::kCounters},
                              .estimated_wait_ms = 2500});
  report.findings.push_back(
      {.id = "AQ310",
       .listener = facts::listener_key(listener),
       .cause = diagnose::Cause{.kind = diagnose::CauseKind::kIoNfs, .share = 0.9}});
  book.add(observation, report);
  {
    const Frame frame = book.frame();
    EXPECT_EQ(only(frame).refused[kUnknown], 6U);
    EXPECT_EQ(only(frame).estimated_wait_s, 2.5);
    EXPECT_EQ(only(frame).causes.at(diagnose::CauseKind::kIoNfs), 0.9);
    EXPECT_FALSE(only(frame).accepted) << "nothing counted it";
  }
  observation.after.monotonic_ns += 5 * kTestSecond;
  book.add(observation);
  EXPECT_TRUE(book.unjudged().empty());
  const Frame frame = book.frame();
  EXPECT_EQ(only(frame).refused[kUnknown], 6U);
  EXPECT_FALSE(only(frame).estimated_wait_s) << "it is of now";
  EXPECT_EQ(only(frame).causes.size(), 1U) << "whoever asks every minute is told";
  observation.after.monotonic_ns += 60 * kTestSecond;
  book.add(observation);
  EXPECT_TRUE(only(book.frame()).causes.empty());
}

// sk_drops also counts what is no handshake.
TEST(SeriesBookTest, DropsOfTheSocketAreNoRefusals) {
  SeriesBook book({});
  const facts::Listener listener = make_socket(1, 10);
  facts::Observation observation = make_observation(5, {listener}, {make_pod_process(10, "nginx")});
  observation.tracing.reset();
  book.add(observation);
  diagnose::Report report;
  report.listeners.push_back({.key = facts::listener_key(listener),
                              .refused = {.total = 6, .source = facts::Source::kSocketDrops}});
  book.add(observation, report);
  EXPECT_THAT(only(book.frame()).refused, testing::Each(0U));
}

TEST(SeriesBookTest, OneWhoseOwnerCannotBeReadKeepsItsName) {
  SeriesBook book({});
  book.add(make_observation(5, {make_socket(1, 10)}, {make_pod_process(10, "nginx")}));
  book.add(make_observation(10, {make_socket(1, 10)}, {}));
  const Frame frame = book.frame();
  EXPECT_EQ(frame.listeners.size(), 1U);
  EXPECT_TRUE(only(frame).seen);
}

}  // namespace
}  // namespace acceptq::agent
