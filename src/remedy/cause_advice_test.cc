// Advice about a cause, beside advice about the queue.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "remedy/advise.h"
#include "remedy/plan.h"

namespace acceptq::remedy {
namespace {

using diagnose::CauseKind;

// A full queue of nginx whose limit is somaxconn, and why accept() is slow.
std::vector<diagnose::Remedy> advice_for(const diagnose::Cause& cause, double confidence = 0.95) {
  facts::Observation observation;
  observation.seconds = 2;
  facts::Process process;
  process.pid = Pid(3985);
  process.comm = "nginx";
  process.open_files = 64;
  process.open_files_limit = 64;
  if (cause.kind != CauseKind::kFdLimit) process.open_files = 9;
  observation.after.processes = {process};
  facts::Listener listener;
  listener.port = 80;
  listener.limit = QueueLimit(128);
  listener.accept_queue_len = QueueLength(129);
  listener.owners = {{.pid = Pid(3985), .fd = 6}};
  observation.after.listeners = {listener};
  diagnose::Report report;
  report.listeners = {{.key = facts::listener_key(listener),
                       .longest = QueueLength(129),
                       .full_fraction = 1.0,
                       .limit_set_by = diagnose::LimitSetBy::kSomaxconn,
                       .somaxconn = 128}};
  report.listeners[0].accepts_per_s = 50;
  diagnose::Finding full;
  full.id = "AQ101";
  full.listener = report.listeners[0].key;
  diagnose::Finding why = full;
  why.id = cause.kind == CauseKind::kUnknown ? "AQ314" : "AQ301";
  why.cause = cause;
  why.confidence = confidence;
  report.findings = {full, why};
  add_remedies(report, observation);
  return report.findings[0].remedies;
}

bool says(const diagnose::Remedy& remedy, std::string_view words) {
  return (remedy.summary + remedy.content).find(words) != std::string::npos;
}

TEST(CauseAdvice, NobodyLengthensAQueueInFrontOfAStoppedProcess) {
  const auto remedies = advice_for({.kind = CauseKind::kStopped,
                                    .share = 1.0,
                                    .detail = {{"how", "signal"}, {"pids", "3985 3986"}}});
  ASSERT_EQ(remedies.size(), 1U);
  EXPECT_TRUE(says(remedies[0], "kill -CONT 3985 3986"));
}

TEST(CauseAdvice, ComesBeforeTheLengthAndSaysWhatThatIsFor) {
  const auto remedies = advice_for({.kind = CauseKind::kIoNfs, .share = 0.9, .detail = {}});
  ASSERT_GT(remedies.size(), 1U);
  EXPECT_EQ(remedies[0].form, "cause");
  EXPECT_TRUE(says(remedies[0], "means a wait of"));
  EXPECT_TRUE(says(remedies[1], "helps against bursts, once accept() keeps up"));
}

TEST(CauseAdvice, ForBurstsALongerQueueIsTheCure) {
  const auto remedies = advice_for({.kind = CauseKind::kBurst, .share = {}, .detail = {}});
  ASSERT_FALSE(remedies.empty());
  EXPECT_TRUE(says(remedies[0], "somaxconn"));
  EXPECT_FALSE(says(remedies[0], "once accept() keeps up"));
}

TEST(CauseAdvice, DescriptorsAreRaisedOnce) {
  const auto remedies = advice_for({.kind = CauseKind::kFdLimit, .share = {}, .detail = {}});
  ASSERT_EQ(remedies.size(), 1U);
  EXPECT_TRUE(says(remedies[0], "prlimit --pid 3985"));
}

TEST(CauseAdvice, FitsWhatWasSeen) {
  const auto advice_of = [](CauseKind kind, std::map<std::string, std::string> detail = {}) {
    return advice_for({.kind = kind, .share = 0.9, .detail = std::move(detail)})[0];
  };
  EXPECT_FALSE(says(advice_of(CauseKind::kCpuBusy), "heap"));
  EXPECT_TRUE(says(advice_of(CauseKind::kCpuBusy), "accept with worker_processes"));
  EXPECT_TRUE(says(advice_of(CauseKind::kGc), "larger heap"));
  EXPECT_TRUE(
      says(advice_of(CauseKind::kUpstream, {{"threads", "serving"}}), "more threads that serve"));
  EXPECT_TRUE(says(advice_of(CauseKind::kUpstream, {{"waits_for", "connection"}}),
                   "whether that peer is there"));
  EXPECT_TRUE(says(advice_of(CauseKind::kUpstream, {{"waits_for", "name"}}), "/etc/resolv.conf"));
  EXPECT_TRUE(says(advice_of(CauseKind::kUpstream, {{"waits_for", "datagram"}}), "tcpdump udp"));
  EXPECT_TRUE(says(advice_of(CauseKind::kClient), "nginx has client_header_timeout"));
  EXPECT_FALSE(says(advice_of(CauseKind::kClient, {{"waits_for", "room"}}), "keepalive_timeout"));
  EXPECT_FALSE(says(advice_of(CauseKind::kSleep), "PHP-FPM"));
  EXPECT_TRUE(says(advice_of(CauseKind::kPipe,
                             {{"reader", "cat"}, {"reader_pid", "812"}, {"reader_state", "T"}}),
                   "kill -CONT 812"));
  EXPECT_TRUE(says(advice_of(CauseKind::kPipe, {{"reader", "cat"}, {"reader_pid", "812"}}),
                   "See why cat (pid 812) does not read from the pipe"));
  EXPECT_TRUE(says(advice_of(CauseKind::kLock, {{"syscall", "semtimedop"}}), "ipcs -s -i ID"));
  EXPECT_FALSE(says(advice_of(CauseKind::kLock, {{"syscall", "futex"}}), "ipcs"));
}

TEST(CauseAdvice, WhatIsNotKnownWellEnoughIsToBeFoundOut) {
  for (const auto& remedies :
       {advice_for({.kind = CauseKind::kUnknown, .share = {}, .detail = {}}, 0),
        advice_for({.kind = CauseKind::kLock, .share = 0.9, .detail = {}}, 0.5)}) {
    EXPECT_TRUE(says(remedies[0], "Find out why accept() is slow"));
  }
}

// Five children of PHP-FPM, all busy: what is needed of them is 5 / 10 × 40.
struct Pool {
  facts::Observation observation;
  diagnose::Report report;

  explicit Pool(CauseKind kind) {
    observation.seconds = 20;
    facts::Listener listener;
    listener.port = 9000;
    listener.limit = QueueLimit(128);
    listener.accept_queue_len = QueueLength(129);
    facts::Acceptors acceptors;
    for (int pid = 20; pid < 26; ++pid) {
      facts::Process process;
      process.pid = Pid(pid);
      process.parent = Pid(pid == 20 ? 1 : 20);
      process.comm = "php-fpm8.2";
      observation.after.processes.push_back(process);
      listener.owners.push_back({.pid = Pid(pid), .fd = 6});
      acceptors.threads.push_back({.pid = Pid(pid), .tid = Pid(pid)});
    }
    const std::string key = facts::listener_key(listener);
    observation.after.listeners = {listener};
    observation.accept_evidence.acceptors[key] = acceptors;
    report.listeners = {{.key = key, .longest = QueueLength(129), .full_fraction = 1.0}};
    report.listeners[0].accepts_per_s = 10;
    report.listeners[0].arrivals_per_s = 100;  // 60 of them again and again the same
    report.listeners[0].refused = {.total = 1800, .attempts = 800, .recovered = 200};
    diagnose::Finding full;
    full.id = "AQ101";
    full.listener = key;
    diagnose::Finding why = full;
    why.id = "AQ308";
    why.cause = diagnose::Cause{.kind = kind, .share = 0.9, .detail = {}};
    why.confidence = 0.95;
    report.findings = {full, why};
  }

  [[nodiscard]] const diagnose::Remedy* cap() {
    add_remedies(report, observation);
    for (const diagnose::Remedy& remedy : report.findings[0].remedies) {
      if (remedy.form == "cap") return &remedy;
    }
    return nullptr;
  }
  [[nodiscard]] std::optional<std::uint32_t> number() {
    add_remedies(report, observation);
    for (const Way& way : plan_for(observation, report, 0, std::nullopt).first) {
      if (way.connections) return way.connections;
    }
    return std::nullopt;
  }
};

TEST(CapAdvice, MoreWorkersWhereTheyWaitForOthers) {
  Pool pool(CauseKind::kUpstream);
  ASSERT_NE(pool.cap(), nullptr);
  EXPECT_TRUE(says(*pool.cap(), "raise pm.max_children, to 20 at most (5 are busy all the time"))
      << pool.cap()->summary;
  EXPECT_EQ(Pool(CauseKind::kUpstream).number(), 20U);
}

TEST(CapAdvice, NoneWhereTheyShareWhatKeepsThem) {
  for (const CauseKind kind : {CauseKind::kCpuBusy, CauseKind::kCpuThrottled, CauseKind::kIoNfs}) {
    EXPECT_EQ(Pool(kind).cap(), nullptr) << diagnose::cause_name(kind);
    EXPECT_FALSE(Pool(kind).number());
  }
}

TEST(CapAdvice, NoNumberWhereWorkersOrClientsWereNotCounted) {
  Pool threads(CauseKind::kUpstream);
  auto& acceptors = threads.observation.accept_evidence.acceptors.begin()->second;
  acceptors.threads.push_back({.pid = Pid(21), .tid = Pid(99)});
  EXPECT_FALSE(threads.number());
  ASSERT_NE(threads.cap(), nullptr);
  EXPECT_TRUE(says(*threads.cap(), "depends on how many there are")) << threads.cap()->summary;
  // In so short a time clients that try again are taken for new ones.
  Pool brief(CauseKind::kUpstream);
  brief.observation.seconds = 2;
  EXPECT_FALSE(brief.number());
  Pool clients(CauseKind::kUpstream);
  clients.report.listeners[0].refused.attempts.reset();
  ASSERT_NE(clients.cap(), nullptr);
  EXPECT_TRUE(says(*clients.cap(), "how many clients come")) << clients.cap()->summary;
  EXPECT_FALSE(clients.number());
}

TEST(CapAdvice, OfConnectionsTheNumberIsTheUsers) {
  Pool pool(CauseKind::kNotAccepting);
  for (facts::Process& process : pool.observation.after.processes) process.comm = "memcached";
  pool.observation.after.listeners[0].limit = QueueLimit(0);
  pool.report.listeners[0].key = facts::listener_key(pool.observation.after.listeners[0]);
  EXPECT_FALSE(pool.number());
  const Plan plan = plan_for(pool.observation, pool.report, 0, 5000);
  ASSERT_FALSE(plan.first.empty());
  EXPECT_EQ(plan.first[0].remedy.form, "cap");
  EXPECT_EQ(plan.first[0].connections, 5000U);
}

}  // namespace
}  // namespace acceptq::remedy
