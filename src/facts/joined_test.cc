#include "facts/joined.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace acceptq::facts {
namespace {

Recording recording(std::int64_t begin_s, std::int64_t end_s, std::uint64_t refused) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  Observation observation;
  observation.before.host.boot_id = observation.after.host.boot_id = "boot";
  observation.before.monotonic_ns = begin_s * kSecond;
  observation.after.monotonic_ns = end_s * kSecond;
  observation.seconds = static_cast<double>(end_s - begin_s);
  observation.tracing = Source::kTracepoints;
  Ledger ledger;
  ledger.port = 80;
  ledger.set(LedgerTerm::kSynRefusedAcceptFull, refused);
  observation.ledgers = {ledger};
  observation.samples["tcp:7:0.0.0.0:80#1"] = {
      .count = 10, .full = static_cast<std::uint32_t>(refused), .longest = QueueLength(3)};
  return {.name = "recording", .observation = std::move(observation)};
}

// 412 packets were refused in the second one; the ledger of the first said 0 of the whole time.
TEST(Joined, NothingThatWasCountedForAPartSpeaksForAll) {
  std::vector<Recording> both = {recording(10, 12, 0), recording(100, 102, 4)};
  const auto all = joined(both);
  ASSERT_TRUE(all.has_value());
  EXPECT_DOUBLE_EQ(all->seconds, 92);
  EXPECT_TRUE(all->ledgers.empty());
  EXPECT_EQ(all->tracing, std::nullopt);
  EXPECT_EQ(all->samples.begin()->second.count, 20U);
  EXPECT_EQ(all->samples.begin()->second.full, 4U);
  ASSERT_EQ(all->after.blind_spots.size(), 1U);
  EXPECT_EQ(all->after.blind_spots[0].id, "AQ614");
}

TEST(Joined, OneStaysAsItIs) {
  std::vector<Recording> one = {recording(10, 12, 5)};
  const auto all = joined(one);
  ASSERT_TRUE(all.has_value());
  EXPECT_EQ(*all, recording(10, 12, 5).observation);
}

TEST(Joined, RefusesWhatIsNoSequence) {
  std::vector<Recording> reversed = {recording(100, 102, 0), recording(10, 12, 0)};
  EXPECT_FALSE(joined(reversed).has_value());
  std::vector<Recording> strange = {recording(10, 12, 0), recording(100, 102, 0)};
  strange[1].observation.before.host.boot_id = "another";
  EXPECT_FALSE(joined(strange).has_value());
}

// An observation of pasted listeners of port 80, each in a namespace of its own.
struct PastedListener {
  bool superseded = false;
  std::vector<std::string> addresses = {};
};

Observation pasted_listeners(const std::vector<PastedListener>& listeners) {
  Observation observation;
  observation.imported = true;
  std::uint64_t id = 0;
  for (const PastedListener& one : listeners) {
    Namespace& ns = observation.after.namespaces.emplace_back();
    ns.id = NetnsId(++id);
    ns.pasted = Pasted{.superseded = one.superseded, .addresses = one.addresses};
    Listener& listener = observation.after.listeners.emplace_back();
    listener.netns = ns.id;
    listener.port = 80;
    listener.pasted_at = "t:" + std::to_string(id);
  }
  normalize(observation.after);
  return observation;
}

Observation capture_of(const char* address) {
  Observation capture;
  Ledger ledger;
  ledger.address = *IpAddress::parse(address);
  ledger.port = 80;
  capture.ledgers = {ledger};
  Listener& server = capture.after.listeners.emplace_back();
  server.address = ledger.address;
  server.port = 80;
  server.queue_seen = false;
  return capture;
}

// The namespace to whose listener the packets were joined; 0: to none, what it says is `why`.
struct Joining {
  std::uint64_t netns = 0;
  std::string why;
};

Joining join(Observation pasted, const char* address) {
  const std::size_t before = pasted.after.listeners.size();
  add_capture(capture_of(address), pasted);
  if (pasted.after.listeners.size() > before) return {};
  return {.netns = pasted.ledgers.at(0).netns.value(),
          .why = pasted.after.blind_spots.at(0).reason};
}

TEST(Capture, IsOfTheLastOfSocketsThatHadThePortInTurn) {
  const Joining joining = join(pasted_listeners({{.superseded = true}, {}}), "172.16.1.21");
  EXPECT_EQ(joining.netns, 2U);
  EXPECT_NE(joining.why.find("this is the last"), std::string::npos) << joining.why;
}

TEST(Capture, IsOfNoneWhereSeveralCanBeMeant) {
  EXPECT_EQ(join(pasted_listeners({{}, {}}), "172.16.1.21").netns, 0U);
}

TEST(Capture, IsOfTheNamespaceThatHasTheAddress) {
  const auto both = pasted_listeners({{.addresses = {"10.0.0.1", "172.16.1.21"}}, {}});
  EXPECT_EQ(join(both, "172.16.1.21").netns, 1U);
}

TEST(Capture, SaysWhereThePortAloneJoinsIt) {
  const auto other = pasted_listeners({{.addresses = {"172.26.0.8"}}});
  const Joining joining = join(other, "172.16.1.21");
  EXPECT_EQ(joining.netns, 1U);
  EXPECT_NE(joining.why.find("by the port alone"), std::string::npos) << joining.why;
  EXPECT_NE(joining.why.find("172.26.0.8"), std::string::npos) << joining.why;
  EXPECT_NE(join(other, "172.26.0.8").why.find("by address and port"), std::string::npos);
}

// Packets that were captured after the observation say when; what was traced stays.
TEST(OwnCapture, IsBesideWhatWasTraced) {
  Observation host = recording(10, 12, 5).observation;
  host.ledgers[0].netns = NetnsId(7);
  Listener& listener = host.after.listeners.emplace_back();
  listener.netns = NetnsId(7);
  listener.port = 80;
  Observation capture;
  for (const std::uint16_t port : {80, 443}) {
    Ledger& seen = capture.ledgers.emplace_back();
    seen.address = *IpAddress::parse("10.0.0.9");
    seen.port = port;
    seen.course.emplace();
    add_to_course(0, &CoursePart::unanswered, *seen.course);
  }
  Observation untraced = host;
  untraced.ledgers.clear();
  untraced.tracing.reset();

  add_own_capture(capture, NetnsId(8), host);
  EXPECT_FALSE(host.ledgers[0].course) << "another namespace's";
  add_own_capture(capture, NetnsId(7), host);
  ASSERT_EQ(host.ledgers.size(), 1U) << "nothing listens at 443: this host is the client";
  EXPECT_EQ(host.ledgers[0][LedgerTerm::kSynRefusedAcceptFull], 5U);
  EXPECT_EQ(host.ledgers[0].course, capture.ledgers[0].course);
  EXPECT_EQ(host.tracing, Source::kTracepoints);

  add_own_capture(capture, NetnsId(7), untraced);
  ASSERT_EQ(untraced.ledgers.size(), 1U);
  EXPECT_EQ(untraced.ledgers[0].netns, NetnsId(7));
  EXPECT_EQ(untraced.tracing, Source::kPackets);
}

}  // namespace
}  // namespace acceptq::facts
