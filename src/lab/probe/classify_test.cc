#include "lab/probe/classify.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace acceptq::lab::probe {
namespace {

using std::chrono::milliseconds;

std::vector<long> seconds_of(const std::vector<milliseconds>& schedule) {
  std::vector<long> seconds;
  seconds.reserve(schedule.size());
  for (const milliseconds at : schedule) seconds.push_back(at.count() / 1000);
  return seconds;
}

TEST(SynRetrySchedule, DoublesWithoutLinearTimeouts) {
  EXPECT_EQ(seconds_of(syn_retry_schedule(0, milliseconds(20'000))),
            (std::vector<long>{1, 3, 7, 15, 31}));
}

TEST(SynRetrySchedule, StaysLinearFirstFrom6_5On) {
  EXPECT_EQ(seconds_of(syn_retry_schedule(4, milliseconds(12'000))),
            (std::vector<long>{1, 2, 3, 4, 5, 7, 11, 19}));
}

TEST(RetriesByTime, CountsThoseThatHaveBeenSent) {
  const std::vector<milliseconds> schedule = syn_retry_schedule(0, milliseconds(10'000));
  EXPECT_EQ(retries_by_time(schedule, milliseconds(1)), 0U);
  EXPECT_EQ(retries_by_time(schedule, milliseconds(999)), 0U);
  EXPECT_EQ(retries_by_time(schedule, milliseconds(1001)), 1U);
  EXPECT_EQ(retries_by_time(schedule, milliseconds(3004)), 2U);
  EXPECT_EQ(retries_by_time(schedule, milliseconds(7100)), 3U);
}

struct Case {
  const char* name;
  AttemptFacts facts;
  Outcome outcome;
};

TEST(Classify, EveryFate) {
  const Case cases[] = {
      {"connected", {.connected = true}, Outcome::kConnectedAtOnce},
      {"after retries", {.connected = true, .syn_retries = 2}, Outcome::kConnectedAfterRetries},
      {"answered",
       {.connected = true, .expects_reply = true, .answered = true},
       Outcome::kConnectedAtOnce},
      {"answered, then reset",
       {.connected = true, .expects_reply = true, .answered = true, .error = ECONNRESET},
       Outcome::kConnectedAtOnce},
      {"refused", {.error = ECONNREFUSED}, Outcome::kRefused},
      {"reset while connecting", {.error = ECONNRESET}, Outcome::kReset},
      {"reset after connecting",
       {.connected = true, .expects_reply = true, .error = ECONNRESET},
       Outcome::kReset},
      {"broken pipe", {.connected = true, .error = EPIPE}, Outcome::kReset},
      {"never answered",
       {.connected = true, .expects_reply = true, .out_of_time = true},
       Outcome::kNeverAnswered},
      {"closed",
       {.connected = true, .expects_reply = true, .closed_by_peer = true},
       Outcome::kClosedUnanswered},
      {"timed out here", {.out_of_time = true}, Outcome::kTimedOut},
      {"timed out in the kernel", {.error = ETIMEDOUT}, Outcome::kTimedOut},
      {"unreachable", {.error = EHOSTUNREACH}, Outcome::kOtherError},
      {"no port left", {.error = EADDRNOTAVAIL}, Outcome::kLocalFailure},
      {"no descriptor left", {.error = EMFILE}, Outcome::kLocalFailure},
      {"stopped while connecting", {}, Outcome::kUnfinished},
      {"stopped while waiting", {.connected = true, .expects_reply = true}, Outcome::kUnfinished},
  };
  for (const Case& test : cases) {
    EXPECT_STREQ(to_string(classify(test.facts)), to_string(test.outcome)) << test.name;
  }
}

}  // namespace
}  // namespace acceptq::lab::probe
