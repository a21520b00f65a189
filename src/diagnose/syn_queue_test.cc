// SYN queues: floods, bursts, cookies, the reserve, and TCP_DEFER_ACCEPT.
#include <gtest/gtest.h>

#include "diagnose/diagnose_test_support.h"

namespace acceptq::diagnose {
namespace {

using facts::Listener;
using facts::Namespace;

struct Given {
  Counters counters;
  std::int64_t syncookies = 1;
  std::uint32_t unanswered = 0;  // handshakes in the SYN queue whose SYN-ACK was repeated
  std::uint32_t defer_accept = 0;
  std::uint64_t deferred_before = 0;
  std::optional<std::uint64_t> synacks_repeated;  // where the SYN queue cannot be looked into
  // Handshakes of the ledger, where there is one.
  std::optional<std::uint64_t> begun;
  std::uint64_t completed = 0;
  std::vector<facts::DeadSyn> dead;
  std::uint64_t synacks_repeated_for_all = 0;  // beside a SYN queue that can
};

Report run(const Given& given) {
  Namespace before = make_namespace(kPod, 4096);
  Namespace after = make_namespace(kPod, 4096, given.counters);
  before.sysctls[facts::kSyncookies].value = given.syncookies;
  after.sysctls[facts::kSyncookies].value = given.syncookies;
  before.counters["TcpExtTCPDeferAcceptDrop"] = given.deferred_before;
  after.counters["TcpExtTCPDeferAcceptDrop"] += given.deferred_before;
  const auto drops = given.counters.find("TcpExtListenDrops");
  Listener listener = make_listener(80, 0, 511, 0);
  Listener later = listener;
  later.drops = drops != given.counters.end() ? static_cast<std::uint32_t>(drops->second) : 0;
  later.syn_queue_len = given.unanswered + 3;
  later.syn_queue_young = 3;
  later.defer_accept = given.defer_accept;
  facts::Observation observation = observe({listener}, before, {later}, after);
  if (given.synacks_repeated) {
    observation.after.listeners[0].syn_queue_len.reset();
    observation.after.listeners[0].syn_queue_young.reset();
  }
  if (given.synacks_repeated || given.begun) {
    using enum facts::LedgerTerm;
    observation.tracing = facts::Source::kFunctions;
    facts::Ledger ledger = make_ledger(later, 0, 0);
    ledger.set(kSynRefusedSynFull, later.drops.value_or(0));
    ledger.set(kSynReceived, given.begun.value_or(0) + later.drops.value_or(0));
    ledger.set(kAckQueued, given.completed);
    ledger.set(kSynackRetransmitted,
               given.synacks_repeated.value_or(given.synacks_repeated_for_all));
    observation.ledgers = {ledger};
    observation.dead_syns = given.dead;
  }
  return report_of(observation);
}

// Packets are lost on the way: clients are late.
TEST(SynQueue, SynacksThatAreRepeatedForThoseThatComeThrough) {
  Given given{.unanswered = 8, .begun = 290, .completed = 252};
  given.synacks_repeated_for_all = 107;
  const Report report = run(given);
  ASSERT_NE(find(report, "AQ408"), nullptr);
  EXPECT_EQ(find(report, "AQ408")->severity, Severity::kNotice);
  EXPECT_TRUE(says(find(report, "AQ408"),
                   "107 SYN-ACKs had to be sent again, and 252 handshakes were completed"));
  EXPECT_EQ(report.verdict, Verdict::kHealthy);
  // Strangers, whose requests stay.
  given.unanswered = 60;
  EXPECT_EQ(find(run(given), "AQ408"), nullptr);
  given.unanswered = 8;
  given.synacks_repeated_for_all = 20;
  EXPECT_EQ(find(run(given), "AQ408"), nullptr);
}

TEST(SynQueue, CookiesThatNobodyReturnsAreAFlood) {
  const Report flood = run({.counters = {{"TcpExtTCPReqQFullDoCookies", 50000},
                                         {"TcpExtSyncookiesSent", 50000},
                                         {"TcpExtSyncookiesRecv", 12}}});
  ASSERT_NE(find(flood, "AQ203"), nullptr);
  EXPECT_EQ(find(flood, "AQ203")->cause->kind, CauseKind::kSynFlood);
  EXPECT_EQ(find(flood, "AQ202"), nullptr);
  EXPECT_EQ(flood.verdict, Verdict::kAtRisk);
}

// A rule that drops the third packet of each handshake: a longer queue cures nothing.
TEST(SynQueue, CookiesOfWhichNoneComesBackAskForNoLongerQueue) {
  const Report report =
      run({.counters = {{"TcpExtTCPReqQFullDoCookies", 88}, {"TcpExtSyncookiesSent", 88}}});
  EXPECT_NE(find(report, "AQ203"), nullptr);
  EXPECT_EQ(find(report, "AQ202"), nullptr);
}

TEST(SynQueue, CookiesThatComeBackAreANotice) {
  const Report burst = run({.counters = {{"TcpExtTCPReqQFullDoCookies", 500},
                                         {"TcpExtSyncookiesSent", 500},
                                         {"TcpExtSyncookiesRecv", 480}}});
  ASSERT_NE(find(burst, "AQ202"), nullptr);
  EXPECT_EQ(find(burst, "AQ202")->severity, Severity::kNotice);
  EXPECT_EQ(find(burst, "AQ203"), nullptr);
  EXPECT_EQ(burst.verdict, Verdict::kAtRisk);
  const Report always = run({.counters = {{"TcpExtTCPReqQFullDoCookies", 60},
                                          {"TcpExtSyncookiesSent", 60},
                                          {"TcpExtSyncookiesRecv", 60}},
                             .syncookies = 2});
  EXPECT_TRUE(always.findings.empty());
}

TEST(SynQueue, FullAndCookiesOff) {
  const Report off = run(
      {.counters = {{"TcpExtTCPReqQFullDrop", 70}, {"TcpExtListenDrops", 70}}, .syncookies = 0});
  EXPECT_EQ(off.verdict, Verdict::kOverflowing);
  EXPECT_NE(find(off, "AQ201"), nullptr);
  // Nothing is wrong with its accept queue, and nothing about that queue is said.
  for (const char* id : {"AQ101", "AQ105", "AQ203", "AQ205"}) {
    EXPECT_EQ(find(off, id), nullptr) << id;
  }
  const Report reserve = run({.counters = {{"TcpExtListenDrops", 70}}, .syncookies = 0});
  EXPECT_NE(find(reserve, "AQ205"), nullptr);
  EXPECT_EQ(reserve.verdict, Verdict::kOverflowing);
}

// A refused SYN cannot complete: however many there are, they are no evidence.
TEST(SynQueue, RefusedSynsAreNoFlood) {
  const Counters refused = {{"TcpExtTCPReqQFullDrop", 3850}, {"TcpExtListenDrops", 3850}};
  EXPECT_EQ(find(run({.counters = refused, .syncookies = 0}), "AQ203"), nullptr);
  const Report flood = run({.counters = refused, .syncookies = 0, .unanswered = 17});
  EXPECT_TRUE(says(find(flood, "AQ203"), "17 handshakes have been unanswered for over a second"));
  Counters crowd = refused;
  crowd["TcpPassiveOpens"] = 4000;
  EXPECT_EQ(find(run({.counters = crowd, .syncookies = 0, .unanswered = 17}), "AQ203"), nullptr);
}

// sock_diag does not show the SYN queue, and kernels without iterators have nothing else.
TEST(SynQueue, RepeatedSynAcksTellOfAFloodWhereTheQueueCannotBeSeen) {
  const Counters refused = {{"TcpExtTCPReqQFullDrop", 3850}, {"TcpExtListenDrops", 3850}};
  const Report flood = run({.counters = refused, .syncookies = 0, .synacks_repeated = 40});
  EXPECT_TRUE(says(find(flood, "AQ203"), "40 SYN-ACKs were repeated. In 2.0 s 0 handshakes"));
  EXPECT_EQ(find(run({.counters = refused, .syncookies = 0, .synacks_repeated = 2}), "AQ203"),
            nullptr);
}

// A rule drops the third packet of each handshake, and the SYN queue has room.
TEST(SynQueue, HandshakesThatNobodyCompletesAreSaid) {
  const Report report = run({.unanswered = 12, .begun = 50});
  ASSERT_NE(find(report, "AQ405"), nullptr);
  EXPECT_EQ(find(report, "AQ405")->severity, Severity::kWarning);
  EXPECT_EQ(report.verdict, Verdict::kFailing);
  EXPECT_TRUE(says(find(report, "AQ405"),
                   "In 2.0 s 50 handshakes were begun and 0 completed; 12 handshakes have been "
                   "unanswered for over a second."));
  // What scanners send to any address.
  const Report few = run({.unanswered = 12, .begun = 9});
  ASSERT_NE(find(few, "AQ405"), nullptr);
  EXPECT_EQ(find(few, "AQ405")->severity, Severity::kNotice);
}

// A rule drops what the listener answers: the kernel ends such a request at its first time-out, and
// none ever gets old.
TEST(SynQueue, RequestsWhoseAnswerCannotBeSentAreSaid) {
  const auto of = [](std::uint32_t in_queue, std::uint64_t resets) {
    Listener listener = make_listener(80, 0, 511, 0);
    listener.syn_queue_len = listener.syn_queue_young = in_queue;
    listener.defer_accept = 0;
    facts::Observation observation =
        observe({listener}, make_namespace(kPod, 4096), {listener}, make_namespace(kPod, 4096));
    observation.tracing = facts::Source::kTracepoints;
    facts::Ledger ledger = make_ledger(listener, 0, 0);
    using enum facts::LedgerTerm;
    ledger.set(kSynReceived, 160);
    ledger.set(kAckQueued, 0);
    ledger.set(kSynackRetransmitted, 0);
    if (resets > 0) ledger.set(kRequestReset, resets);
    observation.ledgers = {ledger};
    return report_of(observation);
  };
  const Report report = of(82, 0);
  EXPECT_EQ(report.verdict, Verdict::kFailing);
  ASSERT_NE(find(report, "AQ405"), nullptr);
  EXPECT_TRUE(says(find(report, "AQ405"), "160 requests ended after a second"));
  EXPECT_TRUE(says(find(report, "AQ405"), "cannot send the SYN-ACK again"));
  // A scanner resets them at once, so that none is there for long.
  EXPECT_EQ(find(of(0, 0), "AQ405"), nullptr);
  EXPECT_EQ(find(of(82, 155), "AQ405"), nullptr);
}

// A scanner without an address of its own: the SYN-ACKs come back as ICMP errors, which end the
// requests. The kernel counts these as drops.
TEST(SynQueue, RequestsThatAnIcmpErrorEndedWereNotRefused) {
  const Listener listener = make_listener(80, 0, 511, 0);
  facts::Observation observation =
      observe({listener}, make_namespace(kPod, 4096), {listener},
              make_namespace(kPod, 4096, {{"TcpExtListenDrops", 65}, {"TcpPassiveOpens", 211}}));
  observation.tracing = facts::Source::kTracepoints;
  facts::Ledger ledger = make_ledger(listener, 0, 0);
  using enum facts::LedgerTerm;
  ledger.set(kRequestUnreachable, 65);
  ledger.set(kAckQueued, 211);
  ledger.set(kAccepted, 211);
  observation.ledgers = {ledger};
  const Report report = report_of(observation);
  EXPECT_TRUE(report.findings.empty());
  EXPECT_EQ(report.verdict, Verdict::kHealthy);
  // What is left is refused.
  observation.ledgers[0].set(kRequestUnreachable, 60);
  EXPECT_NE(find(report_of(observation), "AQ107"), nullptr);
}

// The kernel says which packets it drops, and why.
TEST(SynQueue, DroppedAcksSayWhyHandshakesAreNotCompleted) {
  const auto dropped = [](std::uint64_t packets) {
    return facts::DeadSyn{.netns = kPod,
                          .address = *facts::IpAddress::parse("10.0.0.5"),
                          .port = 80,
                          .reason = "NETFILTER_DROP",
                          .packets = packets,
                          .after_syn = true};
  };
  const Given given{.unanswered = 12, .begun = 50, .dead = {dropped(120)}};
  const Report report = run(given);
  EXPECT_TRUE(says(find(report, "AQ405"),
                   "later packets to the listener, as the final ACKs are: "
                   "120 by the packet filter"));
  ASSERT_NE(find(report, "AQ405"), nullptr);
  EXPECT_EQ(find(report, "AQ405")->evidence[0].name, "drop_reason.NETFILTER_DROP");
  EXPECT_EQ(find(report, "AQ401"), nullptr);
  // Of a stray client; and where handshakes are completed, these are others'.
  EXPECT_TRUE(says(find(run({.unanswered = 12, .begun = 50, .dead = {dropped(4)}}), "AQ405"),
                   "either the final ACKs"));
  EXPECT_TRUE(run({.begun = 50, .completed = 50, .dead = {dropped(120)}}).findings.empty());
}

TEST(SynQueue, HandshakesThatStayForAnotherReasonAreNotLeftByTheirClients) {
  EXPECT_TRUE(run({.unanswered = 9, .begun = 50}).findings.empty());
  EXPECT_TRUE(run({.unanswered = 12, .begun = 50, .completed = 40}).findings.empty());
  // Nobody tries any more.
  EXPECT_TRUE(run({.unanswered = 12, .begun = 0}).findings.empty());
  // They wait for data.
  EXPECT_TRUE(run({.unanswered = 12, .defer_accept = 3, .begun = 50}).findings.empty());
}

TEST(SynQueue, DeferredHandshakesAreNoFlood) {
  const Report deferred = run({.counters = {{"TcpExtTCPReqQFullDrop", 3850},
                                            {"TcpExtListenDrops", 3850},
                                            {"TcpExtTCPDeferAcceptDrop", 512}},
                               .syncookies = 0,
                               .unanswered = 500,
                               .defer_accept = 3});
  EXPECT_EQ(find(deferred, "AQ203"), nullptr);
  EXPECT_FALSE(says(find(deferred, "AQ201"), "have not answered their SYN-ACK"));
  EXPECT_TRUE(says(find(deferred, "AQ206"), "512 final ACKs without data"));
  EXPECT_EQ(find(deferred, "AQ206")->listener, deferred.listeners[0].key);
}

// Apache defers unless it is told not to: that is no reason to take strangers for clients that have
// yet to speak.
TEST(SynQueue, StrangersAtAListenerThatDefersAreAFlood) {
  Given given{.counters = {{"TcpExtTCPReqQFullDrop", 2017}, {"TcpExtListenDrops", 2017}},
              .syncookies = 0,
              .unanswered = 98,
              .defer_accept = 5,
              .deferred_before = 10,
              .begun = 0};
  given.synacks_repeated_for_all = 57;
  const Report flood = run(given);
  EXPECT_NE(find(flood, "AQ203"), nullptr);
  EXPECT_TRUE(says(find(flood, "AQ201"), "98 have not answered their SYN-ACK"));
  EXPECT_EQ(find(flood, "AQ206"), nullptr);
  given.synacks_repeated_for_all = 0;
  EXPECT_EQ(find(run(given), "AQ203"), nullptr);
}

// They fill the queue from before the watch, and no final ACK comes any more.
TEST(SynQueue, HandshakesThatWereDeferredBeforeTheWatchAreSaid) {
  Given given{.counters = {{"TcpExtTCPReqQFullDrop", 3850}, {"TcpExtListenDrops", 3850}},
              .syncookies = 0,
              .unanswered = 500,
              .defer_accept = 3,
              .deferred_before = 512};
  const Report deferred = run(given);
  EXPECT_EQ(find(deferred, "AQ203"), nullptr);
  EXPECT_TRUE(says(find(deferred, "AQ206"), "500 handshakes have waited for over a second"));
  EXPECT_TRUE(says(find(deferred, "AQ206"), "(512 in all)"));
  // Without any that was ever deferred, nothing speaks for it.
  given.deferred_before = 0;
  EXPECT_EQ(find(run(given), "AQ206"), nullptr);
}

// Some come through; but those that fill the queue do not answer, and cookies are no cure for them.
TEST(SynQueue, WhatFillsItIsSaid) {
  const auto finding = [](std::uint32_t unanswered) {
    const Report report = run({.counters = {{"TcpExtTCPReqQFullDrop", 289},
                                            {"TcpExtListenDrops", 289},
                                            {"TcpPassiveOpens", 400}},
                               .syncookies = 0,
                               .unanswered = unanswered});
    const Finding* found = find(report, "AQ201");
    return found != nullptr ? *found : Finding{};
  };
  const Finding full = finding(40);
  EXPECT_TRUE(says(&full, "Of the 43 handshakes that are in it now, 40 have not answered"));
  EXPECT_NE(std::ranges::find(full.evidence, kSynQueueUnanswered, &Evidence::name),
            full.evidence.end());
  const Finding fresh = finding(2);
  EXPECT_FALSE(says(&fresh, "have not answered"));
}

}  // namespace
}  // namespace acceptq::diagnose
