#include "lab/process.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>

#include <csignal>

#include "base/clock.h"

namespace acceptq::lab {
namespace {

TEST(Substitute, ReplacesKnownMarksOnly) {
  const std::map<std::string, std::string> values = {{"dir", "/mnt/s"}, {"storage.a", "/mnt/a@"}};
  EXPECT_EQ(substitute("@dir@/x @dir@ @storage.a@", values), "/mnt/s/x /mnt/s /mnt/a@");
  EXPECT_EQ(substitute("@other@ user@host @@ @dir", values), "@other@ user@host @@ @dir");
  EXPECT_EQ(substitute("", values), "");
  // What is put in is not looked at again.
  EXPECT_EQ(substitute("@a@", {{"a", "@a@@a@"}}), "@a@@a@");
}

TEST(RunCommand, ReturnsWhatIsWritten) {
  EXPECT_EQ(run_command({"cat"}, -1, 10, "hello\n").value_or("?"), "hello\n");
  // More than a pipe holds.
  EXPECT_EQ(run_command({"head", "-c", "300000", "/dev/zero"}, -1).value_or("").size(), 300000U);
}

TEST(RunCommand, SaysWhatWentWrong) {
  const Result<std::string> failed =
      run_command({"sh", "-c", "echo first >&2; echo last >&2; exit 3"}, -1);
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message().find("failed: last"), std::string::npos)
      << failed.error().message();
  const Result<std::string> missing = run_command({"acceptq-no-such-program"}, -1);
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message().find("starting acceptq-no-such-program"), std::string::npos);
}

TEST(RunCommand, TakesNoLongerThanItMay) {
  const std::int64_t begin = monotonic_ns();
  const Result<std::string> late = run_command({"sleep", "30"}, -1, 0.2);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kInterrupted);
  EXPECT_LT(monotonic_ns() - begin, 10'000'000'000);
}

TEST(Spawn, StartsAGroupThatEndsAsAWhole) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // orphans come to us, as to the sandbox's PID 1
  const Result<pid_t> pid = spawn({.command = {"sh", "-c", "sleep 60 & sleep 60"}});
  ASSERT_TRUE(pid);
  EXPECT_TRUE(group_runs(*pid));
  EXPECT_TRUE(end_group(*pid, SIGKILL, 5));
  EXPECT_TRUE(eventually([&] { return !group_runs(*pid); }, 5));
}

TEST(Spawn, HandsDownNoIgnoredSignal) {
  const auto before = std::signal(SIGINT, SIG_IGN);
  const Result<pid_t> pid = spawn({.command = {"sleep", "60"}});
  std::signal(SIGINT, before);
  ASSERT_TRUE(pid);
  EXPECT_TRUE(end_group(*pid, SIGINT, 5));
  ::kill(-*pid, SIGKILL);
}

TEST(Spawn, SeesAnEndOfItsOwn) {
  const Result<pid_t> pid = spawn({.command = {"true"}});
  ASSERT_TRUE(pid);
  EXPECT_TRUE(eventually([&] { return !group_runs(*pid); }, 5));
}

TEST(Spawn, FailsWhereItCannotBeExecuted) {
  EXPECT_FALSE(spawn({.command = {"acceptq-no-such-program"}}));
  EXPECT_FALSE(spawn({.command = {"true"}, .directory = "/nonexistent"}));
  EXPECT_FALSE(spawn({.command = {"true"}, .cgroup_procs = {"/nonexistent"}}));
}

}  // namespace
}  // namespace acceptq::lab
