#include "apply/reload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <csignal>

#include "apply/reload_test_support.h"
#include "base/unique_fd.h"
#include "support/child.h"

namespace acceptq::apply {
namespace {

using testing::HasSubstr;

TEST(CaughtSignals, AreReadFromStatus) {
  EXPECT_EQ(caught_signals("Name:\tx\nSigCgt:\t0000000000000001\n"), 1U);
  EXPECT_EQ(caught_signals("Name:\tx\n"), 0U);
  EXPECT_EQ(caught_signals("\nSigCgt:\tnone\n"), 0U);
}

TEST(SignalProcess, ReachesOneThatCatchesIt) {
  const UniqueFd ready(::eventfd(0, 0));
  static int got = -1;
  got = ::eventfd(0, 0);
  const test::Forked server([&] {
    std::signal(SIGHUP, [](int) {
      constexpr std::uint64_t kOne = 1;
      static_cast<void>(!::write(got, &kOne, sizeof kOne));
    });
    constexpr std::uint64_t kOne = 1;
    static_cast<void>(!::write(ready.get(), &kOne, sizeof kOne));
    for (;;) ::pause();
  });
  std::uint64_t count = 0;
  ASSERT_EQ(::read(ready.get(), &count, sizeof count), static_cast<ssize_t>(sizeof count));
  const facts::ReloadStep step = reload_of(server.pid());
  EXPECT_TRUE(is_alive(step));
  ASSERT_TRUE(signal_process(step));
  ASSERT_EQ(::read(got, &count, sizeof count), static_cast<ssize_t>(sizeof count));
  ::close(got);

  facts::ReloadStep other = step;
  ++other.start_ticks;
  EXPECT_EQ(signal_process(other).error().code, ErrorCode::kNotFound) << "another has its PID now";
  EXPECT_FALSE(is_alive(other));
  other = step;
  other.signal = SIGUSR2;
  EXPECT_EQ(signal_process(other).error().code, ErrorCode::kUnsupported);
  other.signal = 0;
  EXPECT_EQ(signal_process(other).error().code, ErrorCode::kUnsupported);
  EXPECT_TRUE(is_alive(step)) << "it was not ended by a signal that it does not catch";
}

TEST(CheckConfiguration, SaysWhatTheProgramSaid) {
  facts::ReloadStep step = reload_of(::getpid());
  EXPECT_TRUE(check_configuration(step)) << "none to run";
  step.check = {"true"};
  EXPECT_TRUE(check_configuration(step));
  step.check = {"sh", "-c", "echo one; echo 'line 7: \x1b[31mbad' >&2; exit 1"};
  const Status fault = check_configuration(step);
  ASSERT_FALSE(fault);
  EXPECT_EQ(fault.error().code, ErrorCode::kMalformed);
  EXPECT_THAT(fault.error().message(), HasSubstr("sh finds a fault: one; line 7: "));
  EXPECT_THAT(fault.error().message(), testing::Not(HasSubstr("\x1b")));
  step.check = {"/nonexistent/program"};
  EXPECT_EQ(check_configuration(step).error().code, ErrorCode::kNotFound);
}

TEST(CheckConfiguration, IsBounded) {
  facts::ReloadStep step = reload_of(::getpid());
  step.check = {"sh", "-c", "sleep 1000 & sleep 1000"};
  const Status late = check_configuration(step, std::chrono::milliseconds{200});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kInterrupted);
}

}  // namespace
}  // namespace acceptq::apply
