#include "collect/taken_mutexes.h"

#include <gtest/gtest.h>

#include <vector>

namespace acceptq::collect {
namespace {

constexpr std::uint64_t kLock = 0x5600'1000;
constexpr std::uint64_t kStack = 0x7ffc'0000;

// futex(lock, operation, value, timeout) of a thread of process 7.
ThreadLook in_futex(std::uint64_t lock, std::uint64_t operation, std::uint64_t value,
                    std::uint64_t timeout = 0) {
  ThreadLook look{.pid = Pid(7), .tid = Pid(8), .thread_pointer = 0x6f00'0000};
  look.wait.syscall = "futex";
  look.wait.lock = lock;
  look.entry = {.arguments = {lock, operation, value, timeout}, .stack_pointer = kStack};
  return look;
}

ThreadLook another(ThreadLook look, int tid, std::uint64_t thread_pointer) {
  look.tid = Pid(tid);
  look.thread_pointer = thread_pointer;
  return look;
}

// Of the first.
bool is_taken(std::vector<ThreadLook> threads) {
  mark_taken_mutexes(threads);
  return threads[0].wait.contended.value();
}

TEST(TakenMutexes, OfGlibc) {
  EXPECT_TRUE(is_taken({in_futex(kLock, 0x80, 2)}));
  EXPECT_TRUE(is_taken({in_futex(kLock, 0x00, 2)}));  // between processes
  EXPECT_FALSE(is_taken({in_futex(kLock, 0x80, 1)}));
  // pthread_cond_wait(), pthread_rwlock_wrlock(), pthread_join().
  EXPECT_FALSE(is_taken({in_futex(kLock, 0x189, 0)}));
  EXPECT_FALSE(is_taken({in_futex(kLock, 0x189, 2)}));
  EXPECT_FALSE(is_taken({in_futex(kLock, 0x109, 4711)}));
}

TEST(TakenMutexes, OfMusl) {
  EXPECT_TRUE(is_taken({in_futex(kLock, 0x80, 0xffff'ffff'8000'0010)}));
  EXPECT_FALSE(is_taken({in_futex(kLock, 0x80, 0x8000'0000)}));  // sem_wait()
  EXPECT_FALSE(is_taken({in_futex(kLock, 0x80, 0xffff'ffff)}));
}

// pthread_cond_wait() and pthread_join().
TEST(TakenMutexes, WhatMuslWaitsForAtTheSameValueIsNone) {
  EXPECT_FALSE(is_taken({in_futex(kStack + 0xec, 0x80, 2)}));
  EXPECT_TRUE(is_taken({in_futex(kStack + 0x6000, 0x80, 2)}));
  const ThreadLook other = another(in_futex(0, 0x80, 0), 9, 0x7f00'0000);
  for (const std::uint64_t lock : {0x7f00'0030, 0x6eff'ff40 + 0x1000'0000}) {
    EXPECT_FALSE(is_taken({in_futex(lock, 0x80, 2), other})) << lock;
  }
  // Where thread pointers are not known one that waits there alone may wait for a thread.
  const ThreadLook nowhere = another(in_futex(kLock, 0x80, 2), 8, 0);
  EXPECT_FALSE(is_taken({nowhere, another(other, 9, 0)}));
  EXPECT_TRUE(is_taken({nowhere, another(nowhere, 9, 0)}));
  ThreadLook of_another_process = another(nowhere, 9, 0);
  of_another_process.pid = Pid(9);
  EXPECT_FALSE(is_taken({nowhere, of_another_process}));
}

// A condition variable of Rust that was notified twice is waited for in the same way.
TEST(TakenMutexes, OfRustSeveralWaitFor) {
  const ThreadLook waits = in_futex(kLock, 0x89, 2);
  EXPECT_TRUE(is_taken({waits, another(waits, 9, 0x7f00'0000)}));
  EXPECT_FALSE(is_taken({waits}));
  const ThreadLook timed = in_futex(kLock, 0x89, 2, 0x7ff0);
  EXPECT_FALSE(is_taken({timed, another(waits, 9, 0x7f00'0000)}));
  const ThreadLook parked = in_futex(kLock, 0x89, 0xffff'ffff);
  EXPECT_FALSE(is_taken({parked, another(parked, 9, 0x7f00'0000)}));
}

}  // namespace
}  // namespace acceptq::collect
