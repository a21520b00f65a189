#include "collect/attended.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

namespace acceptq::collect {
namespace {

using std::chrono::milliseconds;
using testing::IsEmpty;

TEST(Attended, CallsEachOnce) {
  for (const unsigned threads : {0U, 1U, 3U, 16U}) {
    const auto calls = std::make_shared<std::vector<std::atomic<int>>>(1000);
    EXPECT_THAT(attend(1000, threads, kPatience, [calls](std::size_t i) { ++(*calls)[i]; }),
                IsEmpty());
    for (const std::atomic<int>& count : *calls) EXPECT_EQ(count, 1);
  }
}

TEST(Attended, NothingToDo) {
  EXPECT_THAT(attend(0, 4, kPatience, [](std::size_t) { ADD_FAILURE(); }), IsEmpty());
}

TEST(Attended, ResultsAreInOrder) {
  const auto squares = attended_map<std::size_t>(100, 4, [](std::size_t i) { return i * i; });
  for (std::size_t i = 0; i < squares.size(); ++i) EXPECT_EQ(squares[i], i * i);
}

// More calls than threads never come back, and yet the others are made.
TEST(Attended, LeavesBehindWhatDoesNotReturn) {
  const auto release = std::make_shared<std::atomic<bool>>(false);
  const auto returned = std::make_shared<std::atomic<int>>(0);
  const std::set<std::size_t> stuck{0, 1, 2, 7, 50};
  const auto results = attended_map<int>(
      100, 2,
      [=](std::size_t i) {
        if (stuck.contains(i)) {
          release->wait(false);
          ++*returned;
        }
        return 1;
      },
      milliseconds(40));
  for (std::size_t i = 0; i < results.size(); ++i) {
    EXPECT_EQ(results[i].has_value(), !stuck.contains(i)) << i;
  }
  // They may come back later, and find everything they touch still there.
  *release = true;
  release->notify_all();
  while (*returned < static_cast<int>(stuck.size())) std::this_thread::yield();
}

TEST(Attended, GivesUpTheRestWhereTooManyAreStuck) {
  const auto release = std::make_shared<std::atomic<bool>>(false);
  const auto entered = std::make_shared<std::atomic<std::size_t>>(0);
  const auto left = std::make_shared<std::atomic<std::size_t>>(0);
  const auto given_up = attend(1000, 8, milliseconds(8), [=](std::size_t) {
    ++*entered;
    release->wait(false);
    ++*left;
  });
  EXPECT_EQ(given_up.size(), 1000U);
  EXPECT_LT(*entered, 100U);
  *release = true;
  release->notify_all();
  while (*left < *entered) std::this_thread::yield();
}

// As a thread that is seldom given a core: at most looks it is asleep, but never where it was.
TEST(Attended, WhoGoesOnIsNotStuck) {
  const auto done = attend(1, 1, milliseconds(40), [](std::size_t) {
    for (int i = 0; i < 60; ++i) std::this_thread::sleep_for(milliseconds(3));
  });
  EXPECT_THAT(done, IsEmpty());
}

// As a thread that waits for a core: it is not stuck, whatever the clock says.
TEST(Attended, WhoComputesIsNotStuck) {
  const auto done = attend(1, 1, milliseconds(10), [](std::size_t) {
    const auto end = std::chrono::steady_clock::now() + milliseconds(60);
    while (std::chrono::steady_clock::now() < end) continue;
  });
  EXPECT_THAT(done, IsEmpty());
}

TEST(Attended, WhoSaysSoMayTakeLonger) {
  const auto done = attend(1, 1, milliseconds(100), [](std::size_t) {
    for (int i = 0; i < 40; ++i) {
      std::this_thread::sleep_for(milliseconds(5));
      still_at_work();
    }
  });
  EXPECT_THAT(done, IsEmpty());
  still_at_work();  // outside of any: nothing to tell
}

}  // namespace
}  // namespace acceptq::collect
