#include "lab/expect.h"

#include <gtest/gtest.h>

namespace acceptq::lab {
namespace {

using diagnose::Verdict;

constexpr NetnsId kPod(4026532001);
constexpr NetnsId kOther(4026532002);

facts::Listener listener(NetnsId netns, std::uint16_t port, std::uint64_t cookie,
                         std::uint32_t limit, std::uint32_t pid) {
  facts::Listener listener;
  listener.netns = netns;
  listener.port = port;
  listener.cookie = SocketCookie(cookie);
  listener.limit = QueueLimit(limit);
  listener.owners = {{.pid = Pid(pid), .fd = 3}};
  return listener;
}

void add_finding(Diagnosis& diagnosis, const char* id, std::optional<std::string> of,
                 std::optional<NetnsId> netns) {
  diagnose::Finding finding;
  finding.id = id;
  finding.listener = std::move(of);
  finding.netns = netns;
  diagnosis.report.findings.push_back(std::move(finding));
}

// Port 80 of the pod: two sockets, the first overflowing. Another port and another namespace, with
// findings of their own.
Diagnosis sample() {
  Diagnosis diagnosis;
  facts::Snapshot& snapshot = diagnosis.observation.after;
  snapshot.listeners = {listener(kPod, 80, 1, 128, 10), listener(kPod, 80, 2, 511, 11),
                        listener(kPod, 81, 3, 5, 12), listener(kOther, 80, 4, 4096, 13)};
  facts::Listener unix_socket = listener(kPod, 80, 5, 7, 12);
  unix_socket.protocol = facts::Protocol::kUnix;
  snapshot.listeners.push_back(unix_socket);
  for (const auto& [pid, comm] : {std::pair{10, "nginx"}, {11, "envoy"}, {12, "redis"}}) {
    facts::Process process;
    process.pid = Pid(pid);
    process.comm = comm;
    snapshot.processes.push_back(process);
  }
  const auto report = [&](std::size_t i, Verdict verdict, diagnose::LimitSetBy by) {
    diagnose::ListenerReport listener_report;
    listener_report.key = facts::listener_key(snapshot.listeners[i]);
    listener_report.verdict = verdict;
    listener_report.limit_set_by = by;
    diagnosis.report.listeners.push_back(listener_report);
    return listener_report.key;
  };
  const std::string first = report(0, Verdict::kOverflowing, diagnose::LimitSetBy::kSomaxconn);
  report(1, Verdict::kHealthy, diagnose::LimitSetBy::kApplication);
  const std::string elsewhere = report(2, Verdict::kAtRisk, diagnose::LimitSetBy::kKernel);
  const std::string other = report(3, Verdict::kOverflowed, diagnose::LimitSetBy::kUnknown);
  add_finding(diagnosis, "AQ101", first, kPod);
  add_finding(diagnosis, "AQ103", elsewhere, kPod);
  add_finding(diagnosis, "AQ102", other, kOther);
  add_finding(diagnosis, "AQ203", std::nullopt, kPod);
  add_finding(diagnosis, "AQ602", std::nullopt, kOther);
  add_finding(diagnosis, "AQ601", std::nullopt, std::nullopt);
  return diagnosis;
}

using Words = std::vector<std::string>;

TEST(Compare, SaysOneSentenceForEachDifference) {
  struct Case {
    Expect expect;
    Words mismatches;
  };
  const Case cases[] = {
      {{}, {}},
      // Each socket of the port may meet an expectation, others may not.
      {{.verdict = "overflowing"}, {}},
      {{.verdict = "healthy"}, {}},
      {{.verdict = "at_risk"}, {"verdict: expected at_risk, got healthy, overflowing"}},
      {{.limit = 128}, {}},
      {{.limit = 511}, {}},
      {{.limit = 4096}, {"limit: expected 4096, got 128, 511"}},
      {{.limit = 7}, {"limit: expected 7, got 128, 511"}},
      {{.limit_set_by = "application"}, {}},
      {{.limit_set_by = "kernel"}, {"limit_set_by: expected kernel, got application, somaxconn"}},
      {{.owner = "envoy"}, {}},
      {{.owner = "redis"}, {"owner: expected redis, got envoy, nginx"}},
      // Findings of the listener, its namespace and the host; none of others.
      {{.must = {"AQ101", "AQ203", "AQ601"}}, {}},
      {{.must = {"AQ102", "AQ103", "AQ602"}},
       {"finding: expected AQ102, got AQ101, AQ203, AQ601",
        "finding: expected AQ103, got AQ101, AQ203, AQ601",
        "finding: expected AQ602, got AQ101, AQ203, AQ601"}},
      {{.must_not = {"AQ102", "AQ103", "AQ602"}}, {}},
      {{.must_not = {"AQ1"}}, {"finding AQ101 must not be there"}},
      {{.must_not = {"AQ2", "AQ601"}},
       {"finding AQ203 must not be there", "finding AQ601 must not be there"}},
      {{.verdict = "unknown", .limit = 1, .owner = "x"},
       {"verdict: expected unknown, got healthy, overflowing", "limit: expected 1, got 128, 511",
        "owner: expected x, got envoy, nginx"}},
  };
  const Diagnosis diagnosis = sample();
  for (const Case& c : cases) EXPECT_EQ(compare(c.expect, kPod, 80, diagnosis), c.mismatches);
}

TEST(Compare, TheCauseIsThatOfTheFirstFindingWithOne) {
  using diagnose::CauseKind;
  const auto give = [](Diagnosis& diagnosis, const char* id, CauseKind kind) {
    for (diagnose::Finding& finding : diagnosis.report.findings) {
      if (finding.id == id) finding.cause = {.kind = kind};
    }
  };
  Diagnosis diagnosis = sample();
  const auto against = [&](const Expect& expect) { return compare(expect, kPod, 80, diagnosis); };
  // Of another listener, another namespace, and the host: none of ours.
  for (const char* id : {"AQ103", "AQ102", "AQ602", "AQ601"}) {
    give(diagnosis, id, CauseKind::kStopped);
  }
  EXPECT_EQ(against({.no_cause = true}), Words{});
  EXPECT_EQ(against({.causes = {CauseKind::kStopped, CauseKind::kLock}}),
            Words{"cause: expected stopped or lock, got none"});
  give(diagnosis, "AQ203", CauseKind::kSynFlood);
  EXPECT_EQ(cause_given(kPod, 80, diagnosis)->kind, CauseKind::kSynFlood);
  give(diagnosis, "AQ101", CauseKind::kIoFuse);
  EXPECT_EQ(cause_given(kPod, 80, diagnosis)->kind, CauseKind::kIoFuse);
  EXPECT_EQ(against({.causes = {CauseKind::kIoBlock, CauseKind::kIoFuse}}), Words{});
  EXPECT_EQ(against({.causes = {CauseKind::kSynFlood}}),
            Words{"cause: expected syn_flood, got io.fuse"});
  EXPECT_EQ(against({.no_cause = true}), Words{"cause: expected none, got io.fuse"});
}

TEST(Compare, AListenerMustBeThere) {
  EXPECT_EQ(compare({}, kPod, 82, sample()), Words{"no listener on port 82 was found"});
  EXPECT_EQ(compare({.limit = 5}, kOther, 81, sample()), Words{"no listener on port 81 was found"});
}

TEST(Compare, SaysNothingWhereNothingIsKnown) {
  Diagnosis diagnosis;
  diagnosis.observation.after.listeners = {listener(kPod, 80, 1, 128, 10)};
  diagnosis.observation.after.listeners[0].limit.reset();
  EXPECT_EQ(compare({.verdict = "healthy", .limit = 128, .owner = "nginx"}, kPod, 80, diagnosis),
            (Words{"verdict: expected healthy, got nothing", "limit: expected 128, got nothing",
                   "owner: expected nginx, got nothing"}));
}

}  // namespace
}  // namespace acceptq::lab
