#include "render/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace acceptq::render {
namespace {

using testing::HasSubstr;
using testing::Not;
using enum facts::LedgerTerm;

constexpr NetnsId kPod{4026532567};

facts::Snapshot node() {
  facts::Snapshot snapshot;
  facts::Listener listener;
  listener.netns = kPod;
  listener.port = 80;
  listener.cookie = SocketCookie(0xbae1);
  listener.owners = {{Pid(3985), 6}};
  snapshot.listeners = {listener};
  facts::Process process;
  process.pid = Pid(3985);
  process.comm = "nginx";
  process.pod = facts::Pod{.ns = "default", .name = "web-0", .uid = {}};
  snapshot.processes = {process};
  return snapshot;
}

facts::Refusal refusal() {
  facts::Refusal refusal;
  refusal.netns = kPod;
  refusal.cookie = SocketCookie(0xbae1);
  refusal.client = *facts::IpAddress::parse("10.0.0.3");
  refusal.client_port = 40112;
  refusal.address = *facts::IpAddress::parse("10.244.1.7");
  refusal.port = 80;
  refusal.reason = kSynRefusedAcceptFull;
  refusal.length = QueueLength(129);
  refusal.limit = QueueLimit(128);
  refusal.attempt_packets = 2;
  return refusal;
}

facts::Ledger ledger() {
  facts::Ledger ledger;
  ledger.netns = kPod;
  ledger.port = 80;
  ledger.cookie = SocketCookie(0xbae1);
  ledger.set(kSynReceived, 540);
  ledger.set(kSynQueued, 160);
  ledger.set(kSynRefusedAcceptFull, 380);
  ledger.set(kAckQueued, 128);
  ledger.set(kAckRefusedFull, 32);
  ledger.set(kAccepted, 100);
  ledger.set(kAttemptsRefused, 97);
  ledger.longest = QueueLength(129);
  ledger.time_in_queue_ns = {{.below = 2'500'000'000, .count = 100}};
  ledger.listen = {.requested = 511, .somaxconn = 128, .limit = 128};
  return ledger;
}

TEST(RefusalText, SaysWhoWhereWhyAndWhose) {
  const facts::Snapshot snapshot = node();
  const std::string text =
      refusal_text({}, refusal(), snapshot, facts::find_listener(snapshot, refusal()), 0);
  EXPECT_THAT(text, HasSubstr("10.0.0.3:40112 → 10.244.1.7:80  default/web-0 nginx (pid 3985)  SYN "
                              "refused: accept queue full, 129 of 128 waiting, packet 2 of"));
  EXPECT_THAT(refusal_text({}, refusal(), snapshot, nullptr, 0), HasSubstr("  ?  SYN refused"));
}

TEST(RefusalJson, IsOneObjectALine) {
  const facts::Snapshot snapshot = node();
  const auto json = nlohmann::json::parse(
      refusal_json(refusal(), snapshot, &snapshot.listeners[0], 1'795'413'600'123'456'789));
  EXPECT_EQ(json["at"], "2026-11-23T06:00:00.123Z");
  EXPECT_EQ(json["listener"], "tcp:4026532567:0.0.0.0:80#bae1");
  EXPECT_EQ(json["stage"], "syn");
  EXPECT_EQ(json["reason"], "accept queue full");
  EXPECT_EQ(json["owners"][0]["pod"]["name"], "web-0");
}

TEST(TraceSummary, ShowsTheBooksAndWhatRemains) {
  TraceSummary summary{.seconds = 2, .hooks = "26 functions by fentry", .ledgers = {ledger()}};
  summary.books = {
      {.netns = kPod, .lines = {{"TcpExtListenDrops", 415, 412}, {"TcpExtSyncookiesSent", 0, 0}}}};
  summary.losses = {{"lost of one kind", 0}, {"lost of another", 7}};
  const facts::DeadSyn dead{.netns = kPod, .port = 81, .reason = "NETFILTER_DROP", .packets = 5};
  summary.dead_syns = {dead, dead};
  const std::string text = trace_summary_text({}, summary, node());
  EXPECT_THAT(text, HasSubstr("  port 81  NETFILTER_DROP  10\n"));
  EXPECT_THAT(text, HasSubstr("0.0.0.0:80  default/web-0 nginx (pid 3985)\n"));
  EXPECT_THAT(text, HasSubstr("SYNs        540 received, 160 queued, 380 refused (380 accept queue "
                              "full)\n"));
  EXPECT_THAT(text, HasSubstr("32 refused (32 accept queue full)"));
  EXPECT_THAT(text, HasSubstr("waited 2.5 s (half), 2.5 s (99 %)"));
  EXPECT_THAT(text, HasSubstr("limit 128 by somaxconn 128 and a backlog of\n              511"));
  EXPECT_THAT(text, HasSubstr("TcpExtListenDrops +415, attributed 412, remainder 3\n"));
  EXPECT_THAT(text, HasSubstr("lost of another: 7"));
  EXPECT_THAT(text, Not(HasSubstr("Syncookies")));
  EXPECT_THAT(text, Not(HasSubstr("one kind")));
}

// Of many that are taken at once only the last ones can be timed, and those have waited least.
TEST(TraceSummary, SaysNothingOfWaitsThatWereHardlyMeasured) {
  facts::Ledger few = ledger();
  few.set(kAccepted, 100);
  few.set(kAcceptedUntimed, 92);
  few.time_in_queue_ns = {{.below = 256'000, .count = 8}};
  const std::string text =
      trace_summary_text({}, {.seconds = 2, .hooks = "7 tracepoints", .ledgers = {few}}, node());
  EXPECT_THAT(text, HasSubstr("92 whose wait is not known"));
  EXPECT_THAT(text, Not(HasSubstr("waited")));
}

TEST(TraceSummary, IsNullInJsonWhereATermIsNotKnown) {
  const TraceSummary summary{.seconds = 2, .ledgers = {ledger()}};
  const auto json = nlohmann::json::parse(trace_summary_json(summary, node()));
  EXPECT_EQ(json["schema"], "acceptq.trace/1");
  EXPECT_EQ(json["ledgers"][0]["counts"]["syn_refused_accept_full"], 380);
  EXPECT_TRUE(json["ledgers"][0]["counts"]["syn_cookie"].is_null());
  EXPECT_TRUE(json["dead_syns"].is_null());
  EXPECT_EQ(json["ledgers"][0]["listen"]["backlog_requested"], 511);
}

}  // namespace
}  // namespace acceptq::render
