// Threads of this process, seen from /proc where they are known to be.
#include "collect/procfs/threads.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "support/child.h"

namespace acceptq::collect::procfs {
namespace {

using test::Forked;

// Sanitizers add threads of their own.
ThreadLook first_thread(const ThreadsSeen& seen) {
  const auto it = std::ranges::find_if(seen.threads,
                                       [](const ThreadLook& look) { return look.pid == look.tid; });
  return it != seen.threads.end() ? *it : ThreadLook{};
}

// What the first thread of the child is seen doing, once it sleeps.
ThreadLook seen_asleep(const Forked& child) {
  ThreadReader reader("/proc");
  const WatchedProcess watched[] = {{Pid(child.pid()), {}}};
  ThreadLook look;
  for (int i = 0; i < 100; ++i) {
    look = first_thread(reader.look(watched, 10));
    if (look.wait.state != "R" && look.wait.syscall) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return look;
}

TEST(Threads, InReadOnAPipe) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reads(ends[0]);
  const UniqueFd writes(ends[1]);
  const Forked child([&] {
    char byte = 0;
    (void)!::read(reads.get(), &byte, 1);
  });
  const ThreadLook look = seen_asleep(child);
  EXPECT_EQ(look.pid, Pid(child.pid()));
  EXPECT_EQ(look.wait.state, "S");
  EXPECT_EQ(look.wait.syscall, "read");
  EXPECT_EQ(look.wait.fd, reads.get());
  ASSERT_TRUE(look.wait.target);
  EXPECT_EQ(look.wait.target->type, "pipefs");
  EXPECT_TRUE(look.times.user_ns && look.times.system_ns && look.times.voluntary);
  if (::geteuid() == 0) {
    EXPECT_THAT(look.wait.stack, testing::Contains(testing::HasSubstr("pipe")));
  }
}

TEST(Threads, InAcceptOnAListener) {
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  const Forked child([&] { (void)::accept4(listener.get(), nullptr, nullptr, 0); });
  const ThreadLook look = seen_asleep(child);
  EXPECT_EQ(look.wait.syscall, "accept4");
  EXPECT_EQ(look.wait.fd, listener.get());
  ASSERT_TRUE(look.wait.target);
  EXPECT_EQ(look.wait.target->type, "sockfs");
}

TEST(Threads, AtALockWithATimer) {
  std::uint32_t word = 1;
  const timespec minute{.tv_sec = 60, .tv_nsec = 0};
  const Forked child([&] { ::syscall(SYS_futex, &word, FUTEX_WAIT, 1, &minute, nullptr, 0); });
  EXPECT_EQ(seen_asleep(child).wait.timed, true);
}

TEST(Threads, AtALock) {
  std::uint32_t word = 1;
  const Forked child([&] { ::syscall(SYS_futex, &word, FUTEX_WAIT, 1, nullptr, nullptr, 0); });
  const ThreadLook look = seen_asleep(child);
  EXPECT_EQ(look.wait.syscall, "futex");
  EXPECT_EQ(look.wait.lock, reinterpret_cast<std::uint64_t>(&word));
  EXPECT_EQ(look.wait.timed, false);
}

TEST(Threads, OneThatRuns) {
  const Forked child([] {
    while (true) continue;
  });
  ThreadReader reader("/proc");
  const WatchedProcess watched[] = {{Pid(child.pid()), {}}};
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const ThreadLook earlier = first_thread(reader.look(watched, 10));
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  const ThreadLook later = first_thread(reader.look(watched, 10));
  EXPECT_EQ(later.wait, (facts::Wait{.state = "R", .looks = 1}));
  EXPECT_GT(later.times.user_ns, earlier.times.user_ns);
}

TEST(Threads, EachOfAProcess) {
  const UniqueFd gate(::eventfd(0, EFD_CLOEXEC));
  constexpr int kThreads = 20;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      std::uint64_t value = 0;
      (void)!::read(gate.get(), &value, sizeof value);
      value = 1;
      (void)!::write(gate.get(), &value, sizeof value);
    });
  }
  ThreadReader reader("/proc");
  const WatchedProcess watched[] = {{Pid(::getpid()), {}}};
  long waiting = 0;
  for (int i = 0; i < 100 && waiting < kThreads; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const ThreadsSeen seen = reader.look(watched, 100);
    waiting = std::ranges::count_if(seen.threads, [&](const ThreadLook& look) {
      return look.wait.fd == gate.get() && look.wait.target &&
             look.wait.target->type == "anon_inodefs";
    });
  }
  EXPECT_EQ(waiting, kThreads);
  EXPECT_EQ(reader.look(watched, 5).threads.size(), 5U);
  const std::uint64_t one = 1;
  (void)!::write(gate.get(), &one, sizeof one);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace acceptq::collect::procfs
