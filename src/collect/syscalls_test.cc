#include "collect/syscalls.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace acceptq::collect {
namespace {

TEST(Syscalls, HaveNames) {
  EXPECT_EQ(syscall_name(SYS_accept4), "accept4");
  EXPECT_EQ(syscall_name(SYS_futex), "futex");
  EXPECT_EQ(syscall_name(SYS_epoll_pwait2), "epoll_pwait2");
  EXPECT_EQ(syscall_name(SYS_ppoll), "ppoll");
  EXPECT_EQ(syscall_name(SYS_clock_nanosleep), "clock_nanosleep");
  EXPECT_EQ(syscall_name(SYS_read), "read");
}

TEST(Syscalls, WhatIsNoNumberHasNone) {
  for (const long number : {-1L, 100'000L, SYS_read | 0x40000000L, std::numeric_limits<long>::min(),
                            std::numeric_limits<long>::max()}) {
    EXPECT_EQ(syscall_name(number), std::nullopt) << number;
    EXPECT_FALSE(descriptor_argument(number)) << number;
  }
}

TEST(Syscalls, SomeAreAboutADescriptor) {
  for (const long number : {SYS_read, SYS_accept4, SYS_recvfrom, SYS_epoll_pwait, SYS_epoll_pwait2,
                            SYS_fsync, SYS_ioctl, SYS_splice}) {
    EXPECT_TRUE(descriptor_argument(number)) << number;
  }
  for (const long number :
       {SYS_futex, SYS_ppoll, SYS_openat, SYS_wait4, SYS_clock_nanosleep, SYS_mmap}) {
    EXPECT_FALSE(descriptor_argument(number)) << number;
  }
}

TEST(Syscalls, ArgumentsTellOfLocksAndOfSleeps) {
  const auto of = [](const char* call, std::array<std::uint64_t, 4> arguments) {
    facts::Wait wait{.syscall = call};
    take_entry({.arguments = arguments}, wait);
    return wait;
  };
  EXPECT_EQ(of("futex", {0x1000, 0x80, 2, 0}).lock, 0x1000U);
  EXPECT_EQ(of("futex", {0x1000, 0x80, 2, 0}).timed, false);
  EXPECT_EQ(of("futex", {0x1000, 0x89, 0, 0x7ff0}).timed, true);
  // As Perl's select(undef, undef, undef, 0.33).
  EXPECT_EQ(of("pselect6", {0, 0, 0, 0}).timed, true);
  EXPECT_EQ(of("pselect6", {0, 0, 0, 0}).polled, facts::Polled::kNothing);
  EXPECT_EQ(of("select", {5, 0x7ff0, 0, 0}).timed, std::nullopt);
  EXPECT_EQ(of("select", {5, 0x7ff0, 0, 0}).polled, std::nullopt);
  EXPECT_EQ(of("poll", {0, 0, 300, 0}).polled, facts::Polled::kNothing);
  EXPECT_EQ(of("poll", {0x7ff0, 1, 300, 0}).timed, true);
  EXPECT_EQ(of("poll", {0x7ff0, 1, 0xffffffff, 0}).timed, false);
  EXPECT_EQ(of("ppoll", {0x7ff0, 1, 0, 0}).timed, false);
  EXPECT_EQ(of("ppoll", {0x7ff0, 1, 0x7ff8, 0}).timed, true);
  EXPECT_EQ(of("ppoll", {0x7ff0, 1, 0x7ff8, 0}).polled, std::nullopt);
  EXPECT_EQ(of("read", {0, 0, 0, 0}).timed, std::nullopt);
}

// It waits for its file in D, and for its socket in S.
TEST(Syscalls, SendfileIsAboutTheFileInStateD) {
  EXPECT_EQ(descriptor_argument(SYS_sendfile)->in_state_d, 1U);
  EXPECT_EQ(descriptor_argument(SYS_sendfile)->otherwise, 0U);
  EXPECT_EQ(descriptor_argument(SYS_splice)->in_state_d, 0U);
}

TEST(Syscalls, AStackTellsItsCall) {
  const std::vector<std::string> master = {"sigsuspend", "__x64_sys_rt_sigsuspend", "do_syscall_64",
                                           "entry_SYSCALL_64_after_hwframe"};
  EXPECT_EQ(syscall_of(master), "rt_sigsuspend");
  const std::vector<std::string> on_arm = {"do_epoll_wait", "__arm64_sys_epoll_pwait",
                                           "invoke_syscall", "el0_svc"};
  EXPECT_EQ(syscall_of(on_arm), "epoll_pwait");
  const std::vector<std::string> of_no_call = {"folio_wait_bit_common", "filemap_fault",
                                               "__x64_sys_no_such_call", "asm_exc_page_fault"};
  EXPECT_EQ(syscall_of(of_no_call), std::nullopt);
  EXPECT_EQ(syscall_of({}), std::nullopt);
}

}  // namespace
}  // namespace acceptq::collect
