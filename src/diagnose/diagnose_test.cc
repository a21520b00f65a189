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

TEST(Limits, StaleWhereTheChangeWasSeen) {
  const Listener listener = make_listener(80, 129, 128, 0);
  const Report report = report_of(
      observe({listener}, make_namespace(kPod, 128), {listener}, make_namespace(kPod, 8096)));
  EXPECT_EQ(report.listeners[0].stale, true);
  EXPECT_EQ(report.listeners[0].limit_set_by, LimitSetBy::kSomaxconn);
  EXPECT_NE(find(report, "AQ106"), nullptr);
}

TEST(Unix, FullQueueHasNoCounters) {
  Listener listener = make_listener(0, 4, 3, 0);
  listener.protocol = facts::Protocol::kUnix;
  listener.path = "/run/php-fpm.sock";
  listener.drops.reset();
  const Namespace pod = make_namespace(kPod, 4096);
  const Report report = report_of(observe({listener}, pod, {listener}, pod));
  EXPECT_EQ(report.verdict, Verdict::kAtRisk);
  EXPECT_TRUE(says(find(report, "AQ110"), "4 connections wait"));
  EXPECT_NE(find(report, "AQ105"), nullptr);
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

// Packets show that a SYN got no answer, and not why: what is refused, the counters say.
TEST(Diagnose, BelievesPacketsAsFarAsTheCountersGo) {
  using enum facts::LedgerTerm;
  struct Row {
    std::uint32_t counted;  // by ListenDrops and the socket
    std::optional<std::uint64_t> total, at_syn, at_ack, attempts;
    std::uint64_t unanswered;
  };
  const Row rows[] = {
      {.counted = 0, .total = 0, .unanswered = 12},
      {.counted = 10, .total = 10, .at_syn = 7, .at_ack = 3, .unanswered = 5},
      {.counted = 50, .total = 15, .at_syn = 12, .at_ack = 3, .attempts = 9, .unanswered = 0},
  };
  for (const Row& row : rows) {
    Observation observation =
        observe({make_listener(80, 129, 128, 0)}, make_namespace(kPod, 128),
                {make_listener(80, 129, 128, row.counted)},
                make_namespace(kPod, 128, {{"TcpExtListenDrops", row.counted}}));
    observation.tracing = facts::Source::kPackets;
    facts::Ledger ledger;
    ledger.netns = kPod;
    ledger.port = 80;
    ledger.cookie = observation.after.listeners[0].cookie;
    ledger.source = facts::Source::kPackets;
    ledger.set(kSynRefusedOther, 12);
    ledger.set(kAckRefusedOther, 3);
    ledger.set(kAttemptsRefused, 9);
    ledger.syn_unanswered = 12;
    observation.ledgers = {ledger};
    const Report report = report_of(observation);
    const Finding* elsewhere = find(report, "AQ401");
    ASSERT_EQ(elsewhere != nullptr, row.counted == 0) << row.counted;
    if (elsewhere != nullptr) {
      EXPECT_EQ(report.verdict, Verdict::kDroppedElsewhere);
      EXPECT_LT(elsewhere->confidence, 1.0);
    }
    const ListenerReport& listener = report.listeners.at(0);
    EXPECT_EQ(listener.refused.total, row.total) << row.counted;
    EXPECT_EQ(listener.refused.at_syn, row.at_syn) << row.counted;
    EXPECT_EQ(listener.refused.at_ack, row.at_ack) << row.counted;
    EXPECT_EQ(listener.refused.attempts, row.attempts) << row.counted;
    EXPECT_EQ(listener.syn_unanswered, row.unanswered) << row.counted;
    EXPECT_EQ(listener.refused.at_least, row.counted > 0) << row.counted;
  }
}

// A few are a stray client's, and where the kernel tells why SYNs die, packets add nothing.
TEST(Diagnose, UnansweredSynsAreNoAlarmWithoutNeed) {
  const auto verdict = [](std::optional<std::uint64_t> unanswered, bool is_told) {
    const Namespace pod = make_namespace(kPod, 4096, {{"TcpExtListenDrops", 0}});
    Observation observation =
        observe({make_listener(80, 0, 511, 0)}, pod, {make_listener(80, 0, 511, 0)}, pod);
    observation.tracing = facts::Source::kPackets;
    facts::Ledger ledger = make_ledger(observation.after.listeners[0], 0, 0);
    ledger.source = facts::Source::kPackets;
    ledger.set(facts::LedgerTerm::kSynReceived, 30);
    ledger.set(facts::LedgerTerm::kSynRefusedOther, unanswered.value_or(30));
    ledger.syn_unanswered = unanswered;
    observation.ledgers = {ledger};
    if (is_told) observation.dead_syns.emplace();
    return report_of(observation).verdict;
  };
  EXPECT_EQ(verdict(4, false), Verdict::kHealthy);
  EXPECT_EQ(verdict(5, false), Verdict::kDroppedElsewhere);
  EXPECT_EQ(verdict(5, true), Verdict::kHealthy);
  EXPECT_EQ(verdict(std::nullopt, false), Verdict::kHealthy);  // packets were lost
}

facts::DeadSyn dead_syn(std::uint16_t port, const char* reason, std::uint64_t packets) {
  return {.netns = kPod,
          .address = facts::IpAddress::parse("10.0.0.5").value_or(facts::IpAddress()),
          .port = port,
          .reason = reason,
          .packets = packets};
}

Report diagnose_dead(std::vector<facts::DeadSyn> syns) {
  const Namespace pod = make_namespace(kPod, 4096, {{"TcpExtListenDrops", 0}});
  Observation observation =
      observe({make_listener(80, 0, 511, 0)}, pod, {make_listener(80, 0, 511, 0)}, pod);
  observation.seconds = 3;
  observation.dead_syns = std::move(syns);
  return diagnose(observation);
}

TEST(Diagnose, SynsThatDieBeforeTheListenerAreDroppedElsewhere) {
  const Report report =
      diagnose_dead({dead_syn(80, "NETFILTER_DROP", 140), dead_syn(80, "IP_RPFILTER", 10)});
  EXPECT_EQ(report.verdict, Verdict::kDroppedElsewhere);
  EXPECT_EQ(report.listeners.at(0).refused.total, 0U);
  ASSERT_EQ(report.findings.size(), 1U);
  const Finding& finding = report.findings[0];
  EXPECT_EQ(finding.id, "AQ401");
  EXPECT_EQ(finding.severity, Severity::kWarning);
  EXPECT_NE(finding.explanation.find("150 SYNs"), std::string::npos) << finding.explanation;
  EXPECT_NE(finding.explanation.find("140 by the packet filter"), std::string::npos);
  // One reason for rules that drop and rules that reject: what clients see is not known.
  EXPECT_NE(finding.explanation.find("if it rejects"), std::string::npos) << finding.explanation;
  EXPECT_EQ(diagnose_dead({dead_syn(80, "IP_RPFILTER", 140)})
                .findings.at(0)
                .explanation.find("if it rejects"),
            std::string::npos);
  ASSERT_EQ(finding.evidence.size(), 2U);
  EXPECT_EQ(finding.evidence[1].name, "drop_reason.NETFILTER_DROP");
  EXPECT_EQ(finding.evidence[1].delta, 140);
}

// Listeners that tracing met late: what their ledgers hold is not all that was refused.
TEST(Diagnose, LedgersThatLackSomeSayAtLeast) {
  for (const std::uint64_t counted : {56U, 60U, 466U}) {
    Observation observation = observe(
        {make_listener(80, 6, 5, 0)},
        make_namespace(kPod, 4096, {{"TcpExtListenDrops", 0}, {"TcpExtListenOverflows", 0}}),
        {make_listener(80, 6, 5, static_cast<std::uint32_t>(counted))},
        make_namespace(kPod, 4096,
                       {{"TcpExtListenDrops", counted}, {"TcpExtListenOverflows", counted}}));
    observation.tracing = facts::Source::kTracepoints;
    facts::Ledger ledger = make_ledger(observation.after.listeners[0], 56, 0);
    ledger.source = facts::Source::kTracepoints;
    observation.ledgers = {ledger};
    const Report report = report_of(observation);
    EXPECT_EQ(report.listeners.at(0).refused.total, 56U);
    EXPECT_EQ(report.listeners.at(0).refused.at_least, counted == 466) << counted;
    const Finding* overflow = find(report, "AQ101");
    ASSERT_NE(overflow, nullptr);
    EXPECT_EQ(overflow->explanation.find("at least 56 packets") != std::string::npos,
              counted == 466)
        << overflow->explanation;
  }
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

// A scan of ports, a filter that drops what strangers send now and then, a few SYNs to a closed
// port: what healthy hosts see.
TEST(Diagnose, FewDeadSynsAndClosedPortsAreNoAlarm) {
  const Report report =
      diagnose_dead({dead_syn(81, "NO_SOCKET", 500), dead_syn(80, "NO_SOCKET", 50),
                     dead_syn(22, "NETFILTER_DROP", 900), dead_syn(80, "NETFILTER_DROP", 2)});
  EXPECT_EQ(report.verdict, Verdict::kHealthy);
  EXPECT_TRUE(report.findings.empty());
}

// As older recordings have it: resets beside healthy clients.
TEST(Diagnose, DoesNotBelieveLedgersThatHoldMoreThanTheCountersGrew) {
  const Namespace pod = make_namespace(kPod, 4096, {{"TcpExtListenDrops", 0}});
  Observation observation =
      observe({make_listener(80, 0, 511, 0)}, pod, {make_listener(80, 0, 511, 600)}, pod);
  facts::Ledger ledger = make_ledger(observation.after.listeners[0], 146, 0);
  ledger.source = facts::Source::kTracepoints;
  observation.tracing = facts::Source::kTracepoints;
  observation.ledgers = {ledger};
  const Report report = diagnose(observation);
  EXPECT_EQ(report.verdict, Verdict::kHealthy);
  EXPECT_EQ(report.listeners.at(0).refused.total, 0U);
  EXPECT_EQ(report.listeners.at(0).refused.source, facts::Source::kCounters);
  const auto spots = disbelieved_ledgers(observation);
  ASSERT_EQ(spots.size(), 1U);
  EXPECT_EQ(spots[0].scope, "netns:" + std::to_string(kPod.value()));
  EXPECT_NE(spots[0].reason.find("146"), std::string::npos) << spots[0].reason;
  observation.ledgers[0].source = facts::Source::kFunctions;
  EXPECT_TRUE(disbelieved_ledgers(observation).empty());
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

// Counters are the namespace's, and sk_drops counts some packets twice: ledgers tell listeners
// apart.
TEST(Diagnose, TakesLedgersBeforeCounters) {
  Observation observation = observe(
      {make_listener(80, 129, 128, 10), make_listener(81, 6, 5, 10)}, make_namespace(kPod, 128),
      {make_listener(80, 129, 128, 50), make_listener(81, 2, 5, 20)},
      make_namespace(kPod, 128, {{"TcpExtListenOverflows", 45}, {"TcpExtListenDrops", 45}}));
  observation.tracing = facts::Source::kFunctions;
  observation.ledgers = {make_ledger(observation.after.listeners[1], 0, 5),
                         make_ledger(observation.after.listeners[0], 40, 0)};
  observation.ledgers[1].longest = QueueLength(129);
  observation.ledgers[1].time_in_queue_ns = {{.below = 2'500'000'000, .count = 95},
                                             {.below = 2'600'000'000, .count = 5}};
  observation.ledgers[1].set(facts::LedgerTerm::kAcceptedUntimed, 11);
  const Report report = report_of(observation);
  const ListenerReport& first = report.listeners[0];
  EXPECT_EQ(first.verdict, Verdict::kOverflowing);
  EXPECT_EQ(first.refused.total, 40U);
  EXPECT_EQ(first.refused.at_syn, 40U);
  EXPECT_EQ(first.refused.attempts, 40U);
  EXPECT_EQ(first.refused.addresses, 2U);
  EXPECT_EQ(first.refused.source, facts::Source::kFunctions);
  ASSERT_TRUE(first.time_in_queue.has_value());
  EXPECT_DOUBLE_EQ(first.time_in_queue->p50_ms, 2500);
  EXPECT_DOUBLE_EQ(first.time_in_queue->p99_ms.value_or(0), 2600);
  const ListenerReport& second = report.listeners[1];
  EXPECT_EQ(second.verdict, Verdict::kOverflowing);
  EXPECT_EQ(second.refused.total, 5U);
  EXPECT_EQ(second.refused.at_ack, 5U);
  EXPECT_FALSE(second.time_in_queue.has_value());
}

// The few that wait long are easier to time than the many that do not.
TEST(Diagnose, GivesNoTimeInQueueWhereTooFewWereTimed) {
  Observation observation = observe({make_listener(80, 0, 128, 0)}, make_namespace(kPod, 128),
                                    {make_listener(80, 0, 128, 0)}, make_namespace(kPod, 128));
  observation.tracing = facts::Source::kTracepoints;
  facts::Ledger ledger = make_ledger(observation.after.listeners[0], 0, 0);
  ledger.time_in_queue_ns = {{.below = 1'000'000, .count = 89}};
  ledger.set(facts::LedgerTerm::kAcceptedUntimed, 11);
  observation.ledgers = {ledger};
  EXPECT_FALSE(report_of(observation).listeners[0].time_in_queue.has_value());
}

TEST(Diagnose, KnowsThatNothingWasRefusedWhereItTraced) {
  Observation observation = observe({make_listener(80, 0, 128, 0)}, make_namespace(kPod, 128),
                                    {make_listener(80, 0, 128, 0)}, make_namespace(kPod, 128));
  EXPECT_EQ(report_of(observation).listeners[0].refused.attempts, std::nullopt);
  observation.tracing = facts::Source::kFunctions;
  const Refused& refused = report_of(observation).listeners[0].refused;
  EXPECT_EQ(refused.at_syn, 0U);
  EXPECT_EQ(refused.attempts, 0U);
}

}  // namespace
}  // namespace acceptq::diagnose
