// Threads that are held up by a limit of memory, and by what looks like it.
#include <gtest/gtest.h>

#include "diagnose/causes/causes_test_support.h"

namespace acceptq::diagnose {
namespace {

TEST(JudgeReclaim, NamesTheGroupThatIsAtItsOwnLimit) {
  const Wait wait = {
      .state = "D",
      .syscall = "read",
      .stack = {"schedule_timeout", "mem_cgroup_handle_over_high", "exit_to_user_mode_prepare"}};
  Observation observation = full(thread(3985, 3985, AcceptLink::kEpoll, wait, 0.9));
  EXPECT_TRUE(says(find(report_of(observation), "AQ309"),
                   "nginx waits for memory to be freed: 90 % of 2.0 s"));
  observation.accept_evidence.processes = {
      {.pid = Pid(3985),
       .memory_groups = {
           {.path = "/pod1/c", .max_bytes = 1 << 30, .above_high = 0, .at_max = 0},
           {.path = "/pod1", .high_bytes = 48 << 20, .above_high = 12, .at_max = 0}}}};
  const Report report = report_of(observation);
  EXPECT_TRUE(says(find(report, "AQ309"),
                   "nginx waits for memory to be freed: its control group /pod1 is at its "
                   "memory.high, 48 MiB: 90 % of 2.0 s"));
  EXPECT_EQ(find(report, "AQ309")->cause->detail.at("cgroup"), "/pod1");
  EXPECT_EQ(find(report, "AQ309")->cause->detail.at("limit_bytes"), "50331648");
}

// A mapped index that is larger than its limit: the pages that it waits for were there before.
TEST(JudgeReclaim, MappedPagesThatHadToMakeRoomAreReadAgain) {
  const auto of = [](std::uint64_t at_max) {
    const Wait fault = {.state = "D", .stack = {"folio_wait_bit_common", "filemap_fault"}};
    ThreadWatch reads = still(kPid, fault);
    reads.waits[0].looks = 70;
    reads.waits.push_back(running());
    reads.waits[1].looks = 30;
    reads.times = {.user_ns = 10'000'000,
                   .system_ns = 560'000'000,
                   .delay_ns = 30'000'000,
                   .voluntary = 260,
                   .major_faults = 245};
    Observation observation = full(reads);
    observation.accept_evidence.disks = {{.name = "vda",
                                          .mounts = {{.device = 5, .mountpoint = "/"}},
                                          .watched_ms = 2000,
                                          .reads = 5000,
                                          .read_ms = 50'000,
                                          .busy_ms = 2000}};
    observation.accept_evidence.processes[0].memory_groups = {
        {.path = "/pod1", .version = 1, .max_bytes = 24 << 20, .at_max = at_max}};
    return kinds(observation);
  };
  EXPECT_EQ(of(700'000), (Kinds{"memory.reclaim", "io.block"}));
  EXPECT_EQ(of(200), (Kinds{"io.block"}));
}

// Threads that read an index larger than their memory limit, or write more than fits: each page
// takes the place of another.
TEST(JudgeReclaim, AGroupThatIsAtItsLimitForEachPage) {
  const auto of = [](double waits, std::uint64_t at_max) {
    ThreadWatch reads = thread(3985, 3985, AcceptLink::kEpoll, running(), 1);
    Wait page = {.state = "D",
                 .syscall = "pread64",
                 .target = facts::FileTarget{.type = "ext4", .device = 254U << 20},
                 .stack = {"folio_wait_bit_common", "filemap_get_pages"}};
    page.looks = static_cast<std::uint32_t>(waits * kLooks);
    reads.waits.push_back(page);
    reads.waits[0].looks = kLooks - page.looks;
    reads.times = {.user_ns = 10'000'000,
                   .system_ns = 330'000'000,
                   .delay_ns = 700'000'000,
                   .voluntary = 13'500};
    Observation observation = full(reads);
    observation.accept_evidence.processes[0].memory_groups = {
        {.path = "/pod1", .version = 1, .max_bytes = 48 << 20, .at_max = at_max}};
    return observation;
  };
  const Report report = report_of(of(0.3, 68'000));
  EXPECT_TRUE(says(find(report, "AQ309"),
                   "nginx makes room in memory: its control group /pod1 is at its limit, 48 MiB"));
  EXPECT_EQ(find(report, "AQ309")->cause->detail.at("times"), "68000");
  EXPECT_EQ(kinds(of(0.3, 68'000)), (Kinds{"memory.reclaim", "io.block"}));
  // Now and then only; of a slow disk, the page cache is what makes room.
  EXPECT_EQ(kinds(of(0.3, 200)), Kinds{"unknown"});
  EXPECT_EQ(kinds(of(0.8, 68'000)), Kinds{"io.block"});
  // As does a container at its limit that wants for a core.
  Observation starved = of(0.1, 68'000);
  starved.accept_evidence.acceptors.begin()->second.threads[0].times.voluntary = 40;
  EXPECT_EQ(kinds(starved), Kinds{"cpu.starved"});
}

}  // namespace
}  // namespace acceptq::diagnose
