#include "collect/syscalls.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <limits>

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
    EXPECT_FALSE(first_argument_is_descriptor(number)) << number;
  }
}

TEST(Syscalls, SomeAreAboutADescriptor) {
  for (const long number : {SYS_read, SYS_accept4, SYS_recvfrom, SYS_epoll_pwait, SYS_epoll_pwait2,
                            SYS_fsync, SYS_ioctl, SYS_splice}) {
    EXPECT_TRUE(first_argument_is_descriptor(number)) << number;
  }
  for (const long number :
       {SYS_futex, SYS_ppoll, SYS_openat, SYS_wait4, SYS_clock_nanosleep, SYS_mmap}) {
    EXPECT_FALSE(first_argument_is_descriptor(number)) << number;
  }
}

}  // namespace
}  // namespace acceptq::collect
