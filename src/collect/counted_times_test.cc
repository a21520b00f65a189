#include "collect/counted_times.h"

#include <gtest/gtest.h>

namespace acceptq::collect {
namespace {

using facts::BlockedTime;
using facts::ExactTime;
using facts::Wait;

Wait hanging() { return {.state = "D", .syscall = "read", .stack = {"rpc_wait_bit_killable"}}; }
BlockedTime hung(std::uint64_t ns, std::uint64_t times) {
  return {.state = "D",
          .syscall = "read",
          .stack = {"rpc_wait_bit_killable"},
          .ns = ns,
          .times = times};
}

TEST(CountedTimes, OneThreadThatWasCountedTwiceIsOne) {
  CountedTimes times;
  times.add({.pid = Pid(7),
             .tid = Pid(8),
             .time = {.counted_ns = 10, .on_core_ns = 4, .blocked = {hung(6, 1)}}});
  times.add({.pid = Pid(7), .tid = Pid(7), .time = {.counted_ns = 1}});
  times.add({.pid = Pid(7),
             .tid = Pid(8),
             .time = {.counted_ns = 20, .ready_ns = 5, .blocked = {hung(7, 2)}},
             .unmoved_ns = 8});
  const std::vector<ThreadTime> all = times.take();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].tid, Pid(7));
  EXPECT_EQ(all[1].unmoved_ns, 8U);
  EXPECT_EQ(
      all[1].time,
      (ExactTime{.counted_ns = 30, .on_core_ns = 4, .ready_ns = 5, .blocked = {hung(13, 3)}}));
  EXPECT_TRUE(times.take().empty());
}

TEST(CountedTimes, WhatDidNotMoveIsWhereTheLastLookSawIt) {
  ThreadTime time{.time = {.counted_ns = 100}, .unmoved_ns = 100};
  EXPECT_EQ(placed(time, {}, hanging(), false).blocked, std::vector{hung(100, 1)});
  const Wait running{.state = "R"};
  EXPECT_EQ(placed(time, {}, running, true).on_core_ns, 100U);
  EXPECT_EQ(placed(time, {}, running, false).ready_ns, 100U);
}

TEST(CountedTimes, UntilItWasWokenItWasWhereTheFirstLookSawIt) {
  const ThreadTime time{.time = {.counted_ns = 100, .blocked = {hung(60, 2)}},
                        .first_blocked_ns = 40};
  EXPECT_EQ(placed(time, hanging(), {}, false).blocked, std::vector{hung(100, 3)});
  // It moved between the look and the beginning of its clock.
  EXPECT_EQ(placed(time, {.state = "R"}, {}, false).unplaced_ns, 40U);
}

}  // namespace
}  // namespace acceptq::collect
