// Facts in, verdict out.
#include "diagnose/diagnose.h"

#include <gtest/gtest.h>

#include "diagnose/diagnose_test_support.h"

namespace acceptq::diagnose {
namespace {

using facts::Listener;
using facts::Namespace;
using facts::Observation;

Observation seed_step_1() {
  Observation observation = observe(
      {make_listener(80, 129, 128, 93400)},
      make_namespace(kPod, 128,
                     {{"TcpExtListenOverflows", 12178527}, {"TcpExtListenDrops", 12246983}}),
      {make_listener(80, 129, 128, 93844)},
      make_namespace(kPod, 128,
                     {{"TcpExtListenOverflows", 12178939},
                      {"TcpExtListenDrops", 12247395},
                      {"TcpPassiveOpens", 102}}));
  observation.samples[facts::listener_key(observation.after.listeners[0])] = {
      .count = 40, .full = 40, .longest = QueueLength(129)};
  return observation;
}

TEST(Seed, FirstTheNamespacesSomaxconnBinds) {
  const Report report = report_of(seed_step_1());
  EXPECT_EQ(report.verdict, Verdict::kOverflowing);
  ASSERT_EQ(report.listeners.size(), 1U);
  const ListenerReport& listener = report.listeners[0];
  EXPECT_EQ(listener.limit_set_by, LimitSetBy::kSomaxconn);
  EXPECT_EQ(listener.refused.total, 412U);
  EXPECT_EQ(listener.refused.source, facts::Source::kCounters);
  EXPECT_EQ(listener.refused.at_syn, std::nullopt);
  EXPECT_EQ(listener.full_fraction, 1.0);
  EXPECT_EQ(listener.syn_queue_capacity, 129U);
  EXPECT_EQ(listener.stale, std::nullopt);
  EXPECT_DOUBLE_EQ(*listener.accepts_per_s, 51);
  EXPECT_DOUBLE_EQ(*listener.arrivals_per_s, 257);
  const Finding* overflow = find(report, "AQ101");
  EXPECT_TRUE(says(overflow, "refused 412 packets"));
  EXPECT_TRUE(says(overflow, "the limit is 128, so 129 fit"));
  EXPECT_TRUE(says(overflow, "every refusal was for a full accept queue"));
  EXPECT_TRUE(says(overflow, "SYN cookies are on"));
  EXPECT_EQ(overflow->confidence, 1.0);
  EXPECT_TRUE(says(find(report, "AQ104"), "The host's value, 32768, does not apply"));
  EXPECT_EQ(find(report, "AQ105"), nullptr);
  EXPECT_EQ(report.findings.front().id, "AQ101");
}

TEST(Seed, ThenTheApplicationsBacklogBinds) {
  const auto pod = [](std::uint64_t refused) {
    return make_namespace(kPod, 8096,
                          {{"TcpExtListenOverflows", refused}, {"TcpExtListenDrops", refused}});
  };
  const Report report = report_of(observe({make_listener(80, 512, 511, 10)}, pod(10),
                                          {make_listener(80, 512, 511, 60)}, pod(60)));
  EXPECT_EQ(report.verdict, Verdict::kOverflowing);
  EXPECT_EQ(report.listeners[0].limit_set_by, LimitSetBy::kApplication);
  EXPECT_TRUE(says(find(report, "AQ105"), "511 is what the application itself asked for"));
  EXPECT_EQ(find(report, "AQ104"), nullptr);
}

TEST(Healthy, BusyServerGivesNoFinding) {
  const Report report = report_of(observe(
      {make_listener(80, 3, 511, 0)}, make_namespace(kPod, 4096), {make_listener(80, 17, 511, 0)},
      make_namespace(kPod, 4096, {{"TcpPassiveOpens", 90000}})));
  EXPECT_EQ(report.verdict, Verdict::kHealthy);
  EXPECT_TRUE(report.findings.empty());
}

TEST(Past, CountersThatDoNotMoveAreANotice) {
  const Namespace pod =
      make_namespace(kPod, 4096, {{"TcpExtListenOverflows", 412}, {"TcpExtListenDrops", 412}});
  const Report report = report_of(
      observe({make_listener(80, 0, 511, 412)}, pod, {make_listener(80, 0, 511, 412)}, pod));
  EXPECT_EQ(report.verdict, Verdict::kOverflowed);
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].id, "AQ102");
  EXPECT_EQ(report.findings[0].severity, Severity::kNotice);
  EXPECT_TRUE(says(&report.findings[0], "412 packets"));
}

// Of a listener that is gone; Apache defers, and so drops the ACKs of those that say nothing yet.
TEST(Past, CountersOfWhatIsGoneAreNoListeners) {
  const Namespace pod = make_namespace(kPod, 4096,
                                       {{"TcpExtListenOverflows", 74},
                                        {"TcpExtListenDrops", 74},
                                        {"TcpExtTCPDeferAcceptDrop", 171}});
  Listener apache = make_listener(80, 0, 511, 173);
  apache.defer_accept = 1;
  const Report report = report_of(observe({apache}, pod, {apache}, pod));
  EXPECT_EQ(report.listeners[0].verdict, Verdict::kHealthy);
  EXPECT_FALSE(find(report, "AQ102")->listener.has_value());
  EXPECT_TRUE(says(find(report, "AQ102"), "those that are gone included"));
  apache.drops = 245;
  EXPECT_EQ(report_of(observe({apache}, pod, {apache}, pod)).listeners[0].verdict,
            Verdict::kOverflowed);
}

TEST(Attribution, TwoThatOverflowShareNoCounter) {
  const auto pod = [](std::uint64_t refused) {
    return make_namespace(kPod, 4096,
                          {{"TcpExtListenOverflows", refused}, {"TcpExtListenDrops", refused}});
  };
  const Report report = report_of(observe(
      {make_listener(80, 6, 5, 0), make_listener(81, 8, 7, 0), make_listener(82, 0, 5, 3)}, pod(0),
      {make_listener(80, 6, 5, 30), make_listener(81, 8, 7, 12), make_listener(82, 0, 5, 3)},
      pod(40)));
  ASSERT_EQ(report.listeners.size(), 3U);
  EXPECT_EQ(report.listeners[0].verdict, Verdict::kOverflowing);
  EXPECT_EQ(report.listeners[0].refused.source, facts::Source::kSocketDrops);
  EXPECT_EQ(report.listeners[0].refused.total, 30U);
  EXPECT_EQ(report.listeners[1].verdict, Verdict::kOverflowing);
  EXPECT_NE(report.listeners[2].verdict, Verdict::kOverflowing);
  EXPECT_EQ(report.listeners[2].refused.total, 0U);
}

TEST(Attribution, DuplicateSynsAtANeighbourAreNoOverflow) {
  const auto pod = [](std::uint64_t refused) {
    return make_namespace(kPod, 4096,
                          {{"TcpExtListenOverflows", refused}, {"TcpExtListenDrops", refused}});
  };
  const Report report =
      report_of(observe({make_listener(80, 6, 5, 0), make_listener(81, 1, 511, 0)}, pod(0),
                        {make_listener(80, 6, 5, 40), make_listener(81, 1, 511, 1)}, pod(40)));
  EXPECT_EQ(report.listeners[0].verdict, Verdict::kOverflowing);
  EXPECT_NE(report.listeners[1].verdict, Verdict::kOverflowing);
}

TEST(Attribution, OverflowOfAListenerThatClosedIsStillReported) {
  const auto pod = [](std::uint64_t refused) {
    return make_namespace(kPod, 4096,
                          {{"TcpExtListenOverflows", refused}, {"TcpExtListenDrops", refused}});
  };
  const Report report = report_of(observe({make_listener(80, 6, 5, 0), make_listener(81, 0, 5, 0)},
                                          pod(0), {make_listener(81, 0, 5, 0)}, pod(40)));
  EXPECT_EQ(report.verdict, Verdict::kOverflowing);
  const Finding* finding = find(report, "AQ101");
  ASSERT_NE(finding, nullptr);
  EXPECT_EQ(finding->listener, std::nullopt);
  EXPECT_EQ(finding->netns, kPod);
}

TEST(Counters, WrapAndRestart) {
  const auto pod = [](std::uint64_t refused) {
    return make_namespace(kPod, 4096,
                          {{"TcpExtListenOverflows", refused}, {"TcpExtListenDrops", refused}});
  };
  const Report wrapped =
      report_of(observe({make_listener(80, 6, 5, 0xFFFFFFFE)}, pod(0xFFFFFFFFFFFFFFFEU),
                        {make_listener(80, 6, 5, 8)}, pod(8)));
  EXPECT_EQ(wrapped.listeners[0].refused.total, 10U);
  Namespace before = pod(500);
  before.cookie = 1;
  Namespace after = pod(8);
  after.cookie = 2;
  const Report restarted = report_of(
      observe({make_listener(80, 6, 5, 500)}, before, {make_listener(80, 6, 5, 8)}, after));
  EXPECT_NE(find(restarted, "AQ608"), nullptr);
  EXPECT_EQ(restarted.listeners[0].refused.total, std::nullopt);
}

// 128 was the default of kernels before 5.4, and is one of many settings since.
TEST(Limits, AnOldDefaultIsOneOnOldKernelsOnly) {
  Observation observation = observe({make_listener(80, 129, 128, 0)}, make_namespace(kPod, 8096),
                                    {make_listener(80, 129, 128, 0)}, make_namespace(kPod, 8096));
  const Report now = diagnose(observation);
  EXPECT_TRUE(says(find(now, "AQ105"), "128 at that time (a usual setting)"));
  EXPECT_FALSE(says(find(now, "AQ105"), "5.4"));
  observation.after.host.kernel = "4.19.0-27-amd64";
  EXPECT_TRUE(says(find(diagnose(observation), "AQ105"), "this kernel's default"));
}

TEST(Limits, WhoSetThem) {
  struct Row {
    std::uint32_t limit;
    std::int64_t somaxconn;
    bool kernel_owned;
    LimitSetBy by;
    std::optional<bool> stale;
  };
  const Row rows[] = {
      {128, 128, false, LimitSetBy::kSomaxconn, std::nullopt},
      {511, 8096, false, LimitSetBy::kApplication, std::nullopt},
      {128, 8096, false, LimitSetBy::kUnknown, std::nullopt},     // or 128 of old
      {4096, 8096, false, LimitSetBy::kUnknown, std::nullopt},    // or 4096 of old
      {32768, 40000, false, LimitSetBy::kUnknown, std::nullopt},  // or the host's
      {511, 128, false, LimitSetBy::kUnknown, true},
      {4096, 128, true, LimitSetBy::kKernel, std::nullopt},
  };
  for (const Row& row : rows) {
    Listener listener = make_listener(80, 0, row.limit, 0);
    if (row.kernel_owned) listener.owners.clear();
    const Namespace pod = make_namespace(kPod, row.somaxconn);
    const Report report = report_of(observe({listener}, pod, {listener}, pod));
    EXPECT_EQ(report.listeners[0].limit_set_by, row.by) << row.limit << " " << row.somaxconn;
    EXPECT_EQ(report.listeners[0].stale, row.stale) << row.limit << " " << row.somaxconn;
  }
}

// Whatever its value would let one conclude.
TEST(Limits, WhatAcceptqSetIsItsOwn) {
  for (const std::uint32_t limit : {128U, 4096U, 8096U, 60000U}) {
    Listener listener = make_listener(80, 0, limit, 0);
    listener.resized_from = QueueLimit{5};
    const Namespace pod = make_namespace(kPod, 8096);
    const Report report = report_of(observe({listener}, pod, {listener}, pod));
    EXPECT_EQ(report.listeners[0].limit_set_by, LimitSetBy::kAcceptq) << limit;
    EXPECT_EQ(report.listeners[0].stale, std::nullopt) << limit;
  }
}

TEST(Limits, OneThatWasSetAnewIsSaid) {
  const auto before = [](std::uint32_t limit, bool by_acceptq) {
    Listener later = make_listener(80, 0, 511, 0);
    if (by_acceptq) later.resized_from = QueueLimit{10};
    const Namespace pod = make_namespace(kPod, 4096);
    return report_of(observe({make_listener(80, 0, limit, 0)}, pod, {later}, pod))
        .listeners[0]
        .limit_before;
  };
  EXPECT_EQ(before(10, false), QueueLimit{10});
  EXPECT_EQ(before(511, false), std::nullopt);
  EXPECT_EQ(before(10, true), std::nullopt);
}

TEST(Limits, StaleWhereTheChangeWasSeen) {
  const Listener listener = make_listener(80, 129, 128, 0);
  const Report report = report_of(
      observe({listener}, make_namespace(kPod, 128), {listener}, make_namespace(kPod, 8096)));
  EXPECT_EQ(report.listeners[0].stale, true);
  EXPECT_EQ(report.listeners[0].limit_set_by, LimitSetBy::kSomaxconn);
  EXPECT_NE(find(report, "AQ106"), nullptr);
}

TEST(Limits, ALoweredSomaxconnIsRaisedFirst) {
  const Listener listener = make_listener(80, 0, 511, 0);
  const Report report = report_of(
      observe({listener}, make_namespace(kPod, 4096), {listener}, make_namespace(kPod, 64)));
  EXPECT_TRUE(says(find(report, "AQ106"), "511 fit no more: raise somaxconn first"));
}

Listener unix_listener(std::uint32_t length, std::uint32_t limit) {
  Listener listener = make_listener(0, length, limit, 0);
  listener.protocol = facts::Protocol::kUnix;
  listener.path = "/run/php-fpm.sock";
  listener.drops.reset();
  return listener;
}

TEST(Unix, FullQueueHasNoCounters) {
  const Listener listener = unix_listener(4, 3);
  const Namespace pod = make_namespace(kPod, 4096);
  const Report report = report_of(observe({listener}, pod, {listener}, pod));
  EXPECT_EQ(report.verdict, Verdict::kAtRisk);
  EXPECT_TRUE(says(find(report, "AQ110"), "4 connections wait"));
  EXPECT_NE(find(report, "AQ105"), nullptr);
}

// The kernel counts no connect() that failed: that it was full tells, if not how often.
TEST(Unix, AQueueThatWasFullForMomentsIsANotice) {
  const Listener listener = unix_listener(0, 8);
  const Namespace pod = make_namespace(kPod, 4096);
  facts::Observation observation = observe({listener}, pod, {listener}, pod);
  facts::QueueSamples& samples =
      observation.samples[facts::listener_key(observation.after.listeners[0])];
  samples = {.count = 100, .full = 29, .longest = QueueLength(9)};
  const Report report = report_of(observation);
  EXPECT_EQ(report.verdict, Verdict::kAtRisk);
  ASSERT_NE(find(report, "AQ110"), nullptr);
  EXPECT_EQ(find(report, "AQ110")->severity, Severity::kNotice);
  EXPECT_TRUE(says(find(report, "AQ110"), "29 %"));
  samples = {.count = 100, .full = 0, .longest = QueueLength(7)};
  EXPECT_EQ(report_of(observation).verdict, Verdict::kHealthy);
}

// A burst that was taken is less than one of which some were refused.
TEST(AcceptQueue, CloseToItsLimitIsANoticeWhereItHasDrained) {
  const Namespace pod = make_namespace(kPod, 4096);
  const auto close = [&](std::uint32_t at_the_end) {
    const Listener after = make_listener(80, at_the_end, 128, 0);
    Observation observation = observe({make_listener(80, 0, 128, 0)}, pod, {after}, pod);
    observation.samples[facts::listener_key(after)] = {
        .count = 40, .full = 0, .longest = QueueLength(108)};
    const Report report = report_of(observation);
    const Finding* finding = find(report, "AQ103");
    return finding != nullptr ? std::optional(finding->severity) : std::nullopt;
  };
  EXPECT_EQ(close(2), Severity::kNotice);
  EXPECT_EQ(close(100), Severity::kWarning);
}

TEST(Reuseport, OneFullMemberIsNamed) {
  Listener full = make_listener(80, 6, 5, 0);
  Listener idle = full;
  idle.cookie = SocketCookie(99);
  idle.accept_queue_len = QueueLength(0);
  Listener full_after = full;
  full_after.drops = 20;
  const auto pod = [](std::uint64_t refused) {
    return make_namespace(kPod, 4096,
                          {{"TcpExtListenOverflows", refused}, {"TcpExtListenDrops", refused}});
  };
  const Report report = report_of(observe({full, idle}, pod(0), {full_after, idle}, pod(20)));
  EXPECT_TRUE(says(find(report, "AQ111"), "2 sockets that share"));
  EXPECT_TRUE(report.listeners[0].reuseport_group.has_value());
}

TEST(SingleSnapshot, SaysFullButNotOverflowing) {
  const Namespace pod = make_namespace(kPod, 128);
  const Report report = report_of(
      observe({make_listener(80, 129, 128, 5)}, pod, {make_listener(80, 129, 128, 5)}, pod, 0));
  EXPECT_EQ(report.verdict, Verdict::kAtRisk);
  EXPECT_NE(find(report, "AQ108"), nullptr);
  EXPECT_EQ(find(report, "AQ101"), nullptr);
}

TEST(SingleSnapshot, SaysWhichPacketWillBeTheFirstToBeRefused) {
  const Namespace pod = make_namespace(kPod, 128);
  const auto said = [&](std::uint32_t length) {
    return find(report_of(observe({make_listener(80, length, 128, 5)}, pod,
                                  {make_listener(80, length, 128, 5)}, pod, 0)),
                "AQ108")
        ->explanation;
  };
  EXPECT_NE(said(129).find("The next ones will be refused."), std::string::npos);
  EXPECT_NE(said(128).find("There is room for one more; those after it will be refused."),
            std::string::npos);
}

TEST(Empty, HostWithoutListenersIsHealthy) {
  const Report report = diagnose(Observation{});
  EXPECT_EQ(report.verdict, Verdict::kHealthy);
  EXPECT_TRUE(report.findings.empty());
}

// A server that is restarted while its socket refuses: the new socket has refused nothing, and the
// two are no SO_REUSEPORT group.
TEST(Diagnose, ANewListenerIsNotTakenForItsPredecessor) {
  Listener ended = make_listener(80, 6, 5, 40);
  Listener successor = make_listener(80, 0, 5, 0);
  successor.cookie = SocketCookie(7);
  successor.inode = SocketInode(7);
  Listener closed = ended;
  closed.closed = true;
  closed.accept_queue_len = QueueLength(0);
  const Report report = report_of(observe(
      {ended}, make_namespace(kPod, 4096, {{"TcpExtListenDrops", 0}, {"TcpExtListenOverflows", 0}}),
      {closed, successor},
      make_namespace(kPod, 4096, {{"TcpExtListenDrops", 56}, {"TcpExtListenOverflows", 56}})));
  ASSERT_EQ(report.listeners.size(), 2U);
  for (const ListenerReport& listener : report.listeners) {
    const bool is_new = listener.key.ends_with("#7");
    EXPECT_EQ(listener.refused.total, is_new ? 0U : 56U) << listener.key;
    EXPECT_EQ(listener.verdict, is_new ? Verdict::kHealthy : Verdict::kOverflowing) << listener.key;
    EXPECT_EQ(listener.reuseport_group, std::nullopt);
  }
}

// sock_diag gives a subflow of MPTCP its cookie, which changes its key.
TEST(Diagnose, ASocketThatGotItsCookieMeanwhileIsTheSame) {
  facts::Listener nameless = make_listener(80, 129, 128, 10);
  nameless.cookie = {};
  const Report report = report_of(observe(
      {nameless}, make_namespace(kPod, 128, {{"TcpExtListenOverflows", 10}}),
      {make_listener(80, 129, 128, 40)},
      make_namespace(kPod, 128, {{"TcpExtListenOverflows", 40}, {"TcpExtListenDrops", 30}})));
  EXPECT_EQ(report.listeners.at(0).refused.total, 30U);
}

}  // namespace
}  // namespace acceptq::diagnose
