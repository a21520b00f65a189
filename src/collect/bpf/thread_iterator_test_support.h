// Threads of a test's own, and a look at them by the thread iterator.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "collect/bpf/thread_iterator.h"
#include "support/child.h"
#include "support/require.h"
#include "support/traffic.h"

namespace acceptq::collect::bpf {

inline constexpr std::size_t kMostThreads = 1000;

inline Pid own_pid() { return Pid(::getpid()); }

// A thread that does one thing until it is told to end by `wake`.
class Waiting {
 public:
  Waiting(std::function<void()> body, std::function<void()> wake)
      : wake_(std::move(wake)), thread_([this, body = std::move(body)] {
          tid_ = ::gettid();
          body();
        }) {
    while (tid_ == 0) std::this_thread::yield();
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() {
    wake_();
    thread_.join();
  }

  [[nodiscard]] Pid tid() const { return Pid(tid_); }

 private:
  std::atomic<pid_t> tid_ = 0;
  std::function<void()> wake_;
  std::thread thread_;
};

// Those that read it wait until it ends.
class Pipe {
 public:
  Pipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    out_ = UniqueFd(ends[0]);
    in_ = UniqueFd(ends[1]);
  }

  [[nodiscard]] int out() const { return out_.get(); }
  void end() { in_ = UniqueFd(); }
  void read_to_end() const {
    char byte = 0;
    EXPECT_EQ(::read(out_.get(), &byte, 1), 0);
  }

 private:
  UniqueFd out_;
  UniqueFd in_;
};

inline UniqueFd listener() { return test::listen_tcp("127.0.0.1", 0, 5); }

// accept(), poll() and epoll_wait() of a listener return when it is shut down.
inline void end_listening(const UniqueFd& fd) { ::shutdown(fd.get(), SHUT_RDWR); }

inline const ThreadLook* find(const ThreadsSeen& seen, Pid tid) {
  const auto it = std::ranges::find(seen.threads, tid, &ThreadLook::tid);
  return it != seen.threads.end() ? &*it : nullptr;
}

inline std::optional<facts::AcceptLink> link_of(const WaiterLook& look, Pid tid) {
  const auto it = std::ranges::find(look.waiters, tid, &WaiterLook::Waiter::tid);
  return it != look.waiters.end() ? std::optional(it->link) : std::nullopt;
}

class ThreadIteratorTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "loading BPF programs needs root";
    if (!test::kernel_is_at_least(5, 15)) GTEST_SKIP() << "reads no calls before 5.15";
    Result<ThreadIterator> iterator = ThreadIterator::Create();
    if (!iterator) GTEST_SKIP() << iterator.error().message();
    iterator_.emplace(std::move(*iterator));
  }

  ThreadsSeen look(const WatchedProcess& watched, std::size_t most_threads = kMostThreads) {
    Result<ThreadsSeen> seen = iterator_.value().look(std::array{watched}, most_threads);
    if (seen) return std::move(*seen);
    ADD_FAILURE() << seen.error().message();
    return {};
  }

  ThreadsSeen look(std::vector<std::int32_t> listener_fds = {}) {
    return look(WatchedProcess{own_pid(), std::move(listener_fds)});
  }

  // The thread once it shows this call; empty where it never does.
  std::optional<ThreadLook> seen_in(Pid tid, std::string_view call) {
    std::optional<ThreadLook> found;
    EXPECT_TRUE(test::eventually([&] {
      const ThreadsSeen seen = look();
      const ThreadLook* thread = find(seen, tid);
      if (thread == nullptr || thread->wait.syscall != call) return false;
      found = *thread;
      return thread->wait.state == "S";
    }));
    return found;
  }

  // The listener's queue once `tid` is in it; without waiters where it never is.
  WaiterLook queue_with(const UniqueFd& fd, Pid tid) {
    WaiterLook queue;
    EXPECT_TRUE(test::eventually([&] {
      const ThreadsSeen seen = look({fd.get()});
      if (seen.listeners.size() != 1) return false;
      queue = seen.listeners.front();
      return link_of(queue, tid).has_value();
    }));
    return queue;
  }

 private:
  std::optional<ThreadIterator> iterator_;
};

}  // namespace acceptq::collect::bpf
