#include "remedy/workers.h"

#include <gtest/gtest.h>

namespace acceptq::remedy {
namespace {

using diagnose::CauseKind;

Workers busy(CauseKind waits_for, std::optional<std::uint32_t> number, std::optional<double> taken,
             std::optional<double> come) {
  return {.waits_for = waits_for,
          .busy = true,
          .number = number,
          .accepts_per_s = taken,
          .attempts_per_s = come};
}

TEST(WorkersWanted, FollowLittlesLaw) {
  struct Row {
    std::uint32_t number;
    double taken;
    double come;
    std::uint32_t wanted;
  };
  for (const Row& row : {Row{5, 10, 40, 20}, {5, 10, 41, 21}, {1, 2, 3, 2}, {8, 80, 81, 9}}) {
    const auto wanted = workers_wanted(busy(CauseKind::kUpstream, row.number, row.taken, row.come));
    ASSERT_TRUE(wanted && wanted->number) << row.come;
    EXPECT_EQ(*wanted->number, row.wanted) << row.come;
  }
  EXPECT_EQ(workers_wanted(busy(CauseKind::kSleep, 5, 10, 40))->why,
            "5 are busy all the time and take 10 connections a second, so one takes 0.5 s for "
            "each, and up to 40 clients a second come");
  EXPECT_EQ(workers_wanted(busy(CauseKind::kSleep, 1, 2, 4))->why,
            "1 is busy all the time and takes 2 connections a second, so one takes 0.5 s for each, "
            "and up to 4 clients a second come");
}

TEST(WorkersWanted, AreNoNumberWhereOneOfTheThreeWasNotSeen) {
  const auto why = [](const Workers& workers) {
    const auto wanted = workers_wanted(workers);
    EXPECT_TRUE(wanted && !wanted->number);
    return wanted ? wanted->why : "";
  };
  const std::string head = "how many would do depends on ";
  EXPECT_EQ(why(busy(CauseKind::kClient, {}, 10, 40)), head + "how many there are");
  EXPECT_EQ(why(busy(CauseKind::kClient, 5, {}, 40)), head + "how long one takes for a connection");
  EXPECT_EQ(why(busy(CauseKind::kClient, 5, 0, 40)), head + "how long one takes for a connection");
  EXPECT_EQ(why(busy(CauseKind::kClient, {}, 10, {})),
            head + "how many there are, how many clients come (--for 20s tells)");
  EXPECT_EQ(why(busy(CauseKind::kClient, 5000, 0.1, 5000)),
            "250000000 would be needed, which is no number of workers");
}

TEST(WorkersWanted, AreNoneWhereTheyShareWhatKeepsThem) {
  for (const CauseKind kind :
       {CauseKind::kCpuBusy, CauseKind::kCpuThrottled, CauseKind::kCpuStarved, CauseKind::kGc,
        CauseKind::kIoNfs, CauseKind::kIoFuse, CauseKind::kIoBlock, CauseKind::kMemoryReclaim,
        CauseKind::kLock, CauseKind::kPipe, CauseKind::kStopped, CauseKind::kFdLimit,
        CauseKind::kBurst, CauseKind::kNotAccepting, CauseKind::kUnknown}) {
    EXPECT_FALSE(workers_wanted(busy(kind, 5, 10, 40))) << diagnose::cause_name(kind);
  }
}

TEST(WorkersWanted, AreNoneWhereThoseThatAreKeepPaceOrAreIdle) {
  EXPECT_FALSE(workers_wanted(busy(CauseKind::kUpstream, 5, 10, 10)));
  Workers idle = busy(CauseKind::kUpstream, 5, 10, 40);
  idle.busy = false;
  EXPECT_FALSE(workers_wanted(idle));
}

}  // namespace
}  // namespace acceptq::remedy
