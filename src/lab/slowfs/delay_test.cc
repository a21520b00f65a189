#include "lab/slowfs/delay.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace acceptq::lab::slowfs {
namespace {

using std::chrono::milliseconds;

TEST(SlowfsCommand, Parses) {
  EXPECT_EQ(*parse_command("open-ms 100"), (Command{Command::Kind::kOpenDelay, milliseconds(100)}));
  EXPECT_EQ(*parse_command(" read-ms  0\n"), (Command{Command::Kind::kReadDelay, milliseconds(0)}));
  EXPECT_EQ(parse_command("stall")->kind, Command::Kind::kStall);
  EXPECT_EQ(parse_command("resume\n")->kind, Command::Kind::kResume);
}

TEST(SlowfsCommand, RejectsEverythingElse) {
  for (const char* line : {"", "open-ms", "open-ms -1", "open-ms 1 2", "open-ms 9999999999",
                           "open-ms 3600001", "stall now", "close"}) {
    EXPECT_FALSE(parse_command(line)) << line;
  }
}

TEST(SlowfsDelay, ShorterDelayReleasesWhoAlreadyWaits) {
  Delay delay(milliseconds(60'000), milliseconds(0));
  EXPECT_TRUE(delay.wait(Operation::kRead));
  std::atomic<bool> opened = false;
  std::thread opener([&] { opened = delay.wait(Operation::kOpen); });
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_FALSE(opened);
  delay.apply({Command::Kind::kOpenDelay, milliseconds(1)});
  opener.join();
  EXPECT_TRUE(opened);
}

TEST(SlowfsDelay, StallHoldsUntilResumedOrShutDown) {
  Delay delay(milliseconds(0), milliseconds(0));
  delay.apply({Command::Kind::kStall, {}});
  std::atomic<int> done = 0;
  std::thread resumed([&] { done += delay.wait(Operation::kOpen) ? 1 : 0; });
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(done, 0);
  delay.apply({Command::Kind::kResume, {}});
  resumed.join();
  EXPECT_EQ(done, 1);
  delay.apply({Command::Kind::kStall, {}});
  std::thread ended([&] { done += delay.wait(Operation::kRead) ? 1 : 0; });
  delay.shut_down();
  ended.join();
  EXPECT_EQ(done, 1);
}

}  // namespace
}  // namespace acceptq::lab::slowfs
