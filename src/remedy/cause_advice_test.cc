// Advice about a cause, beside advice about the queue.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "remedy/advise.h"

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

TEST(CauseAdvice, WhatIsNotKnownWellEnoughIsToBeFoundOut) {
  for (const auto& remedies :
       {advice_for({.kind = CauseKind::kUnknown, .share = {}, .detail = {}}, 0),
        advice_for({.kind = CauseKind::kLock, .share = 0.9, .detail = {}}, 0.5)}) {
    EXPECT_TRUE(says(remedies[0], "Find out why accept() is slow"));
  }
}

}  // namespace
}  // namespace acceptq::remedy
