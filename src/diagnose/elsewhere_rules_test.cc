// SYNs that this host drops before a listener sees them.
#include <gtest/gtest.h>

#include "diagnose/diagnose_test_support.h"

namespace acceptq::diagnose {
namespace {

using facts::Namespace;
using facts::Observation;

// Without tracing one counter of the namespace is all that tells.
TEST(Diagnose, TheReversePathFilterIsSaidWhereNothingIsTraced) {
  const auto report = [](bool is_told) {
    const auto pod = [](std::uint64_t dropped) {
      return make_namespace(kPod, 4096,
                            {{"TcpExtListenDrops", 0}, {"TcpExtIPReversePathFilter", dropped}});
    };
    Observation observation =
        observe({make_listener(80, 0, 511, 0)}, pod(7), {make_listener(80, 0, 511, 0)}, pod(207));
    if (is_told) observation.dead_syns.emplace();
    return report_of(observation);
  };
  const Report untold = report(false);
  EXPECT_EQ(untold.verdict, Verdict::kDroppedElsewhere);
  ASSERT_NE(find(untold, "AQ401"), nullptr);
  EXPECT_EQ(find(untold, "AQ401")->severity, Severity::kNotice);
  EXPECT_TRUE(says(find(untold, "AQ401"), "dropped 200 packets"));
  EXPECT_EQ(report(true).verdict, Verdict::kHealthy);
}

// No rule drops then, and every new connection dies.
TEST(Diagnose, AFullTableOfConnectionTrackingIsSaid) {
  const auto report = [](std::int64_t entries) {
    Namespace pod = make_namespace(kPod, 4096, {{"TcpExtListenDrops", 0}});
    pod.sysctls[facts::kConntrackCount] = {.state = facts::SysctlState::kValue, .value = entries};
    pod.sysctls[facts::kConntrackMax] = {.state = facts::SysctlState::kValue, .value = 300};
    Observation observation =
        observe({make_listener(80, 0, 511, 0)}, pod, {make_listener(80, 0, 511, 0)}, pod);
    observation.seconds = 3;
    observation.dead_syns = {
        {.netns = kPod, .port = 80, .reason = facts::kNetfilterDrop, .packets = 190}};
    return report_of(observation);
  };
  const Report full = report(300);
  ASSERT_NE(find(full, "AQ401"), nullptr);
  EXPECT_EQ(find(full, "AQ401")->severity, Severity::kCritical);
  EXPECT_TRUE(says(find(full, "AQ401"), "the table of connection tracking is full: 300 entries"));
  EXPECT_EQ(find(report(200), "AQ401")->severity, Severity::kWarning);
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

// One banned client that comes again and again, beside hundreds that are served.
TEST(Diagnose, AFilterThatLetsMostThroughIsNoAlarm) {
  const auto severity = [](const char* reason, std::uint64_t arrived) {
    const Namespace pod = make_namespace(kPod, 4096, {{"TcpExtListenDrops", 0}});
    Observation observation =
        observe({make_listener(80, 0, 511, 0)}, pod, {make_listener(80, 0, 511, 0)}, pod);
    observation.seconds = 2;
    observation.tracing = facts::Source::kTracepoints;
    facts::Ledger ledger = make_ledger(observation.after.listeners[0], 0, 0);
    ledger.set(facts::LedgerTerm::kSynReceived, arrived);
    observation.ledgers = {ledger};
    observation.dead_syns = {dead_syn(80, reason, 12)};
    return find(report_of(observation), "AQ401")->severity;
  };
  EXPECT_EQ(severity("NETFILTER_DROP", 424), Severity::kNotice);
  EXPECT_EQ(severity("NETFILTER_DROP", 11), Severity::kWarning);
  EXPECT_EQ(severity("IP_RPFILTER", 424), Severity::kWarning);
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

// A server that is bound to one address, and clients that try another one.
TEST(Diagnose, ClientsOfAnAddressWithoutListenerAreANotice) {
  const auto report = [](const char* bound, std::uint64_t packets) {
    const Namespace pod = make_namespace(kPod, 4096, {{"TcpExtListenDrops", 0}});
    facts::Listener listener = make_listener(80, 0, 511, 0);
    listener.address = facts::IpAddress::parse(bound).value_or(facts::IpAddress());
    Observation observation = observe({listener}, pod, {listener}, pod);
    observation.seconds = 3;
    observation.dead_syns = {dead_syn(80, "NO_SOCKET", packets)};
    return diagnose(observation);
  };
  const Report local = report("127.0.0.1", 60);
  EXPECT_EQ(local.verdict, Verdict::kHealthy);
  ASSERT_EQ(local.findings.size(), 1U);
  EXPECT_EQ(local.findings[0].id, "AQ406");
  EXPECT_EQ(local.findings[0].severity, Severity::kNotice);
  EXPECT_NE(local.findings[0].explanation.find("60 SYNs to 10.0.0.5:80 were answered by a reset"),
            std::string::npos)
      << local.findings[0].explanation;
  EXPECT_TRUE(report("127.0.0.1", 2).findings.empty());
  // It was not there yet when they came.
  EXPECT_TRUE(report("10.0.0.5", 60).findings.empty());
}

}  // namespace
}  // namespace acceptq::diagnose
