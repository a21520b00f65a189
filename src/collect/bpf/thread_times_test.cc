#include "collect/bpf/thread_times.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

namespace acceptq::collect::bpf {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t kBegin = 1'000;
constexpr std::uint64_t kSleeping = 1;

aq_thread_clock begun() {
  aq_thread_clock clock{};
  clock.begin_ns = clock.since_ns = kBegin;
  return clock;
}

ClockReading reading_of(const aq_thread_clock& clock) {
  ClockReading reading;
  reading.at_ns = kBegin + 500;
  reading.threads = {{.pid = Pid(7), .tid = Pid(8), .kernel_tid = 1008, .clock = clock}};
  return reading;
}

aq_clock_place asleep_at(std::int32_t stack) {
  return {.tid = 1008, .stack = stack, .syscall = SYS_futex, .state = kSleeping};
}

TEST(ThreadTimes, WhatHasNotEndedCountsUpToTheEnd) {
  aq_thread_clock clock = begun();
  clock.on_core_ns = 100;
  clock.ready_ns = 50;
  clock.since_ns = kBegin + 150;
  clock.now = AQ_CLOCK_ON_CORE;
  ThreadTime time = times_of(reading_of(clock), {}).at(0);
  EXPECT_EQ(time.pid, Pid(7));
  EXPECT_EQ(time.tid, Pid(8));
  EXPECT_EQ(time.time.counted_ns, 500U);
  EXPECT_EQ(time.time.on_core_ns, 450U);
  EXPECT_EQ(time.time.ready_ns, 50U);
  clock.now = AQ_CLOCK_READY;
  EXPECT_EQ(times_of(reading_of(clock), {}).at(0).time.ready_ns, 400U);
  clock.now = AQ_CLOCK_UNMOVED;
  EXPECT_EQ(times_of(reading_of(clock), {}).at(0).unmoved_ns, 350U);
}

TEST(ThreadTimes, AThreadThatEndedCountsUpToThere) {
  aq_thread_clock clock = begun();
  clock.on_core_ns = 150;
  clock.since_ns = kBegin + 150;
  clock.now = AQ_CLOCK_ENDED;
  const ThreadTime time = times_of(reading_of(clock), {}).at(0);
  EXPECT_EQ(time.time.counted_ns, 150U);
  EXPECT_EQ(time.time.on_core_ns, 150U);
}

// It began between the stop and the reading of the clock; a difference below 0 is none.
TEST(ThreadTimes, NothingIsNegative) {
  aq_thread_clock clock = begun();
  clock.begin_ns = clock.since_ns = kBegin + 600;
  EXPECT_EQ(times_of(reading_of(clock), {}).at(0).time.counted_ns, 0U);
  EXPECT_EQ(times_of(reading_of(clock), {}).at(0).unmoved_ns, 0U);
}

TEST(ThreadTimes, PlacesAreNamedWithoutTheWayOut) {
  aq_thread_clock clock = begun();
  clock.since_ns = kBegin + 300;
  clock.now = AQ_CLOCK_BLOCKED;
  clock.place = asleep_at(5);
  ClockReading reading = reading_of(clock);
  reading.blocked = {{asleep_at(5), {.ns = 100, .times = 2}},
                     {asleep_at(6), {.ns = 150, .times = 1}},
                     {asleep_at(-17), {.ns = 10, .times = 1}},
                     {{.tid = 4711, .stack = 5, .syscall = -1, .state = 2}, {.ns = 9, .times = 1}}};
  reading.stacks = {{5, {0x10, 0x20, 0x30, 0x40, 0x50, 0, 0}}, {6, {0x10, 0x20, 0x30, 0x50, 0}}};
  const AddressNames names = {{0x10, "bpf_prog_1234_count_switch"},
                              {0x20, "__schedule"},
                              {0x30, "schedule"},
                              {0x40, "futex_wait_queue"},
                              {0x50, "do_futex"}};
  EXPECT_THAT(addresses_of(reading), ElementsAre(0x10, 0x20, 0x30, 0x40, 0x50));
  const std::vector<facts::BlockedTime> blocked = times_of(reading, names).at(0).time.blocked;
  ASSERT_EQ(blocked.size(), 3U);
  EXPECT_EQ(blocked[0].state, "S");
  EXPECT_EQ(blocked[0].syscall, "futex");
  EXPECT_EQ(blocked[0].ns, 300U);  // 100, and the 200 that it has not been woken from
  EXPECT_EQ(blocked[0].times, 3U);
  EXPECT_THAT(blocked[0].stack, ElementsAre("futex_wait_queue", "do_futex"));
  EXPECT_THAT(blocked[1].stack, ElementsAre("do_futex"));
  EXPECT_THAT(blocked[2].stack, IsEmpty());  // the map had no room for it
}

// Before 5.15 the programs read no registers; looks tell the call by the stack there, too.
TEST(ThreadTimes, AStackTellsTheCallWhereNoNumberDoes) {
  ClockReading reading = reading_of(begun());
  reading.blocked = {
      {{.tid = 1008, .stack = 5, .syscall = -1, .state = kSleeping}, {.ns = 1, .times = 1}}};
  reading.stacks = {{5, {0x10, 0x20}}};
  const AddressNames names = {{0x10, "do_nanosleep"}, {0x20, "__x64_sys_clock_nanosleep"}};
  EXPECT_EQ(times_of(reading, names).at(0).time.blocked.at(0).syscall, "clock_nanosleep");
}

}  // namespace
}  // namespace acceptq::collect::bpf
