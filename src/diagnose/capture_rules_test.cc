// What packets of a capture prove, and from which side.
#include <gtest/gtest.h>

#include "diagnose/diagnose_test_support.h"

namespace acceptq::diagnose {
namespace {

using facts::Captured;
using facts::CaptureSide;

facts::Observation capture_of(const Captured& captured, std::uint64_t unanswered_syns = 0,
                              std::uint64_t recovered = 0) {
  facts::Observation observation;
  observation.seconds = 12;
  observation.tracing = facts::Source::kPackets;
  observation.after.scan_method = "capture";
  facts::Listener& listener = observation.after.listeners.emplace_back();
  listener.address = *facts::IpAddress::parse("10.0.0.2");
  listener.port = 80;
  listener.queue_seen = false;
  facts::Ledger& ledger = observation.ledgers.emplace_back();
  ledger.address = listener.address;
  ledger.port = listener.port;
  ledger.source = facts::Source::kPackets;
  ledger.set(facts::LedgerTerm::kAttemptsRefused, captured.unanswered + captured.attempts_unheard);
  ledger.set(facts::LedgerTerm::kAttemptsRecovered, recovered);
  ledger.addresses = 1;
  ledger.syn_unanswered = unanswered_syns;
  ledger.captured = captured;
  if (recovered > 0) ledger.delay_s = {{.below = 2, .count = recovered}};
  return observation;
}

Captured of(CaptureSide side, std::uint64_t attempts, std::uint64_t completed) {
  Captured captured;
  captured.side = side;
  captured.attempts = attempts;
  captured.completed = completed;
  return captured;
}

Captured unanswered(CaptureSide side) {
  Captured captured = of(side, 7, 2);
  captured.unanswered = captured.never_answered = 5;
  return captured;
}

facts::Observation cookies_of(std::uint64_t cookies, std::uint64_t others) {
  Captured captured = of(CaptureSide::kServer, 60, 60);
  captured.no_cookies = others;
  facts::Observation observation = capture_of(captured);
  observation.ledgers[0].set(facts::LedgerTerm::kSynCookie, cookies);
  return observation;
}

TEST(Capture, SaysThatCookiesWereSentAndWhatThatMeans) {
  const Report all = report_of(cookies_of(59, 0));
  EXPECT_EQ(all.verdict, Verdict::kAtRisk);
  ASSERT_NE(find(all, "AQ202"), nullptr);
  EXPECT_EQ(find(all, "AQ202")->severity, Severity::kNotice);
  EXPECT_TRUE(says(find(all, "AQ202"), "about 59 of 60 attempts"));
  EXPECT_TRUE(says(find(all, "AQ202"), "packets do not tell which"));
  EXPECT_TRUE(says(find(all, "AQ202"), "This is an estimate"));

  const Report some = report_of(cookies_of(20, 38));
  EXPECT_TRUE(says(find(some, "AQ202"), "as 38 others got an ordinary answer"));
  EXPECT_EQ(find(report_of(cookies_of(0, 0)), "AQ202"), nullptr);

  // Where nobody completes handshakes they are a flood's.
  facts::Observation flood = cookies_of(150, 0);
  flood.ledgers[0].captured->half_open = 150;
  flood.ledgers[0].captured->completed = 1;
  EXPECT_EQ(find(report_of(flood), "AQ202"), nullptr);
  EXPECT_TRUE(says(find(report_of(flood), "AQ203"), "at least 150 were SYN cookies"));
}

// tcpdump 'dst port 80', and a filter on SYNs alone.
TEST(Capture, SaysWhatADirectionThatIsMissingLeavesOpen) {
  Captured one_way = of(CaptureSide::kUnknown, 10, 10);
  one_way.unanswered = 8;
  one_way.holds_answers = false;
  const Report some = report_of(capture_of(one_way, 50, 8));
  const Finding* finding = find(some, "AQ403");
  ASSERT_NE(finding, nullptr);
  EXPECT_NE(finding->explanation.find("shows one direction"), std::string::npos);
  EXPECT_EQ(finding->explanation.find("either there is none"), std::string::npos)
      << "clients went on: there is a server";

  Captured syns = of(CaptureSide::kUnknown, 8, 0);
  syns.unanswered = 3;
  syns.holds_answers = syns.holds_others = false;
  const Report alone = report_of(capture_of(syns, 4));
  finding = find(alone, "AQ403");
  ASSERT_NE(finding, nullptr);
  EXPECT_NE(finding->explanation.find("3 clients stopped repeating"), std::string::npos);
  EXPECT_EQ(finding->explanation.find("at a later try"), std::string::npos);
}

TEST(Capture, SaysWhatAnUnansweredSynProvesFromEachSide) {
  const std::pair<CaptureSide, const char*> sides[] = {
      {CaptureSide::kServer, "this host dropped them"},
      {CaptureSide::kBoth, "are one host"},
      {CaptureSide::kClient, "whether the SYNs reached the server cannot be seen"},
      {CaptureSide::kBetween, "between client and server"},
      {CaptureSide::kUnknown, "do not tell at which side"}};
  for (const auto& [side, words] : sides) {
    const Report report = report_of(capture_of(unanswered(side), 20));
    EXPECT_EQ(report.verdict, Verdict::kFailing);
    const Finding* finding = find(report, "AQ403");
    ASSERT_NE(finding, nullptr);
    EXPECT_EQ(finding->severity, Severity::kCritical);
    EXPECT_TRUE(says(finding, words)) << finding->explanation;
    EXPECT_EQ(find(report, "AQ101"), nullptr) << "packets do not tell which queue or rule";
    EXPECT_FALSE(report.listeners[0].refused.total) << "nor that the kernel refused anything";
  }
}

TEST(Capture, ProvesAFullAcceptQueueByDataThatIsNotHeard) {
  Captured captured = of(CaptureSide::kServer, 6, 2);
  captured.attempts_unheard = 4;
  captured.unheard_acks = captured.unheard_with_data = 8;
  const Report report = report_of(capture_of(captured));
  EXPECT_EQ(report.verdict, Verdict::kOverflowing);
  EXPECT_TRUE(says(find(report, "AQ101"), "the accept queue was full"));
  EXPECT_EQ(find(report, "AQ101")->severity, Severity::kCritical);
  EXPECT_EQ(report.listeners[0].refused.at_ack, 8U);
  EXPECT_EQ(find(report, "AQ403"), nullptr);

  // Elsewhere the ACKs may have been lost behind the place of capture.
  captured.side = CaptureSide::kClient;
  const Report at_client = report_of(capture_of(captured));
  EXPECT_EQ(at_client.verdict, Verdict::kFailing);
  EXPECT_TRUE(says(find(at_client, "AQ403"), "Either the final ACKs were lost"));

  // Without data, the listener may be waiting for it.
  captured.side = CaptureSide::kServer;
  captured.unheard_with_data = 0;
  EXPECT_TRUE(says(find(report_of(capture_of(captured)), "AQ403"), "TCP_DEFER_ACCEPT"));
}

TEST(Capture, ExplainsUnansweredSynsByAProvenQueue) {
  Captured captured = unanswered(CaptureSide::kServer);
  captured.attempts_unheard = 1;
  captured.unheard_acks = captured.unheard_with_data = 2;
  const Report report = report_of(capture_of(captured, 20));
  EXPECT_TRUE(says(find(report, "AQ101"), "20 SYNs got no answer at all"));
  EXPECT_EQ(find(report, "AQ403"), nullptr);
}

TEST(Capture, GoesByWhatBecameOfTheClients) {
  Captured captured = of(CaptureSide::kServer, 1000, 1000);
  captured.unanswered = 3;
  const Report all_came = report_of(capture_of(captured, 3, 3));
  EXPECT_EQ(find(all_came, "AQ403")->severity, Severity::kNotice);
  EXPECT_TRUE(says(find(all_came, "AQ403"), "3 of 1000 attempts"));
  EXPECT_TRUE(says(find(all_came, "AQ403"), "but did at a later try"));

  captured.completed = 997;
  captured.never_answered = 3;
  EXPECT_EQ(find(report_of(capture_of(captured, 9)), "AQ403")->severity, Severity::kWarning);

  // One client's trace.
  Captured one = of(CaptureSide::kUnknown, 1, 0);
  one.unanswered = one.never_answered = 1;
  one.holds_answers = false;
  const Report trace = report_of(capture_of(one, 6));
  EXPECT_EQ(find(trace, "AQ403")->severity, Severity::kWarning);
  EXPECT_TRUE(says(find(trace, "AQ403"), "the only attempt"));
  EXPECT_TRUE(says(find(trace, "AQ403"), "no packet of the server at all"));
}

TEST(Capture, KnowsRefusedFromLost) {
  Captured captured = of(CaptureSide::kServer, 6, 0);
  captured.turned_away = 6;
  const Report report = report_of(capture_of(captured));
  EXPECT_EQ(report.verdict, Verdict::kDroppedElsewhere);
  EXPECT_EQ(find(report, "AQ402")->severity, Severity::kWarning);

  captured.attempts = 1000;
  captured.completed = 994;
  EXPECT_EQ(find(report_of(capture_of(captured)), "AQ402")->severity, Severity::kNotice);
}

TEST(Capture, AScanOfPortsIsANotice) {
  const auto scan = [](std::uint16_t ports) {
    Captured captured = of(CaptureSide::kServer, 1, 0);
    captured.turned_away = 1;
    facts::Observation all = capture_of(captured);
    const facts::Listener listener = all.after.listeners[0];
    const facts::Ledger ledger = all.ledgers[0];
    for (std::uint16_t port = 1; port < ports; ++port) {
      all.after.listeners.push_back(listener);
      all.after.listeners.back().port = port;
      all.ledgers.push_back(ledger);
      all.ledgers.back().port = port;
    }
    facts::normalize(all.after);
    return report_of(all);
  };
  EXPECT_EQ(find(scan(20), "AQ402")->severity, Severity::kNotice);
  EXPECT_EQ(find(scan(1), "AQ402")->severity, Severity::kWarning);
}

TEST(Capture, SeesServersThatHangUp) {
  Captured captured = of(CaptureSide::kServer, 20, 20);
  captured.resets = 1;
  EXPECT_EQ(report_of(capture_of(captured)).verdict, Verdict::kHealthy);
  captured.resets = 2;
  const Report report = report_of(capture_of(captured));
  EXPECT_EQ(report.verdict, Verdict::kFailing);
  EXPECT_TRUE(says(find(report, "AQ404"), "tcp_abort_on_overflow"));
}

TEST(Capture, SeesFloods) {
  Captured captured = of(CaptureSide::kServer, 160, 10);
  captured.half_open = captured.half_open_long = captured.half_open_silent = 150;
  const Report report = report_of(capture_of(captured));
  EXPECT_EQ(report.verdict, Verdict::kAtRisk);
  EXPECT_TRUE(says(find(report, "AQ203"), "SYN cookies"));

  captured.half_open_silent = 0;
  EXPECT_TRUE(says(find(report_of(capture_of(captured)), "AQ203"), "take room"));

  // The filter left out what completes handshakes; or the clients do complete them.
  captured.holds_others = false;
  EXPECT_EQ(report_of(capture_of(captured)).verdict, Verdict::kHealthy);
  captured.holds_others = true;
  captured.completed = 1000;
  EXPECT_EQ(report_of(capture_of(captured)).verdict, Verdict::kHealthy);
}

TEST(Capture, TellsOfATranslatedAddress) {
  Captured captured = unanswered(CaptureSide::kBetween);
  captured.translated_from = "10.96.0.10:80";
  EXPECT_TRUE(says(find(report_of(capture_of(captured, 5)), "AQ403"),
                   "Clients speak to 10.96.0.10:80, which is translated"));
}

}  // namespace
}  // namespace acceptq::diagnose
