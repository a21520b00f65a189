// The thread iterator against threads of the test's own, each of which waits where the test made it
// wait.
#include "collect/bpf/thread_iterator.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "support/child.h"
#include "support/require.h"
#include "support/traffic.h"

namespace acceptq::collect::bpf {
namespace {

using facts::AcceptLink;
using testing::AnyOf;
using testing::Contains;
using testing::IsEmpty;
using testing::Not;

constexpr std::size_t kMostThreads = 1000;

Pid own_pid() { return Pid(::getpid()); }

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

UniqueFd listener() { return test::listen_tcp("127.0.0.1", 0, 5); }

// accept(), poll() and epoll_wait() of a listener return when it is shut down.
void end_listening(const UniqueFd& fd) { ::shutdown(fd.get(), SHUT_RDWR); }

const ThreadLook* find(const ThreadsSeen& seen, Pid tid) {
  const auto it = std::ranges::find(seen.threads, tid, &ThreadLook::tid);
  return it != seen.threads.end() ? &*it : nullptr;
}

std::optional<AcceptLink> link_of(const WaiterLook& look, Pid tid) {
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

TEST_F(ThreadIteratorTest, AThreadInAccept) {
  const UniqueFd fd = listener();
  const Waiting thread(
      [&] { const UniqueFd taken(::accept4(fd.get(), nullptr, nullptr, SOCK_CLOEXEC)); },
      [&] { end_listening(fd); });
  const std::optional<ThreadLook> seen = seen_in(thread.tid(), "accept4");
  ASSERT_TRUE(seen.has_value());
  EXPECT_EQ(seen->pid, own_pid());
  EXPECT_EQ(seen->wait.fd, fd.get());
  ASSERT_TRUE(seen->wait.target.has_value());
  EXPECT_EQ(seen->wait.target->type, "sockfs");
  EXPECT_EQ(seen->wait.target->peer, std::nullopt);
  EXPECT_EQ(seen->wait.lock, std::nullopt);
  EXPECT_EQ(seen->wait.looks, 1U);
  EXPECT_THAT(seen->wait.stack, Contains("inet_csk_accept"));
  EXPECT_TRUE(seen->times.user_ns.has_value());
  EXPECT_GT(seen->times.voluntary.value_or(0), 0U);

  const WaiterLook queue = queue_with(fd, thread.tid());
  EXPECT_EQ(queue.pid, own_pid());
  EXPECT_EQ(queue.fd, fd.get());
  EXPECT_EQ(queue.epolls, 0U);
  EXPECT_EQ(link_of(queue, thread.tid()), AcceptLink::kAccept);
}

TEST_F(ThreadIteratorTest, AThreadInAcceptOnAUnixListener) {
  const std::string path = "/tmp/acceptq-thread-iterator." + std::to_string(::getpid());
  const UniqueFd fd = test::listen_unix(path, 3);
  ::unlink(path.c_str());
  const Waiting thread(
      [&] { const UniqueFd taken(::accept4(fd.get(), nullptr, nullptr, SOCK_CLOEXEC)); },
      [&] { end_listening(fd); });
  EXPECT_EQ(link_of(queue_with(fd, thread.tid()), thread.tid()), AcceptLink::kAccept);
}

TEST_F(ThreadIteratorTest, AThreadInEpollAndOneWithoutAnyWaiter) {
  const UniqueFd fd = listener();
  const UniqueFd waited(::epoll_create1(EPOLL_CLOEXEC));
  const UniqueFd forgotten(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{.events = EPOLLIN, .data = {.fd = fd.get()}};
  ASSERT_EQ(::epoll_ctl(waited.get(), EPOLL_CTL_ADD, fd.get(), &event), 0);
  ASSERT_EQ(::epoll_ctl(forgotten.get(), EPOLL_CTL_ADD, fd.get(), &event), 0);
  const Waiting thread(
      [&] {
        epoll_event happened{};
        ::epoll_wait(waited.get(), &happened, 1, -1);
      },
      [&] { end_listening(fd); });
  const std::optional<ThreadLook> seen = seen_in(thread.tid(), "epoll_wait");
  ASSERT_TRUE(seen.has_value());
  EXPECT_EQ(seen->wait.fd, waited.get());
  ASSERT_TRUE(seen->wait.target.has_value());
  EXPECT_EQ(seen->wait.target->type, "anon_inodefs");
  const WaiterLook queue = queue_with(fd, thread.tid());
  EXPECT_EQ(queue.epolls, 2U);
  EXPECT_EQ(queue.waiters.size(), 1U);
  EXPECT_EQ(link_of(queue, thread.tid()), AcceptLink::kEpoll);
}

TEST_F(ThreadIteratorTest, AnEpollInAnEpollAndInPoll) {
  const UniqueFd fd = listener();
  const UniqueFd inner(::epoll_create1(EPOLL_CLOEXEC));
  const UniqueFd outer(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{.events = EPOLLIN, .data = {.fd = 0}};
  ASSERT_EQ(::epoll_ctl(inner.get(), EPOLL_CTL_ADD, fd.get(), &event), 0);
  ASSERT_EQ(::epoll_ctl(outer.get(), EPOLL_CTL_ADD, inner.get(), &event), 0);
  const Waiting in_epoll(
      [&] {
        epoll_event happened{};
        ::epoll_wait(outer.get(), &happened, 1, -1);
      },
      [&] { end_listening(fd); });
  const Waiting in_poll(
      [&] {
        pollfd wanted{.fd = inner.get(), .events = POLLIN, .revents = 0};
        ::poll(&wanted, 1, -1);
      },
      [&] { end_listening(fd); });
  EXPECT_EQ(link_of(queue_with(fd, in_epoll.tid()), in_epoll.tid()), AcceptLink::kEpoll);
  EXPECT_EQ(link_of(queue_with(fd, in_poll.tid()), in_poll.tid()), AcceptLink::kEpoll);
}

TEST_F(ThreadIteratorTest, AThreadInPoll) {
  const UniqueFd fd = listener();
  const Waiting thread(
      [&] {
        pollfd wanted{.fd = fd.get(), .events = POLLIN, .revents = 0};
        ::poll(&wanted, 1, -1);
      },
      [&] { end_listening(fd); });
  const WaiterLook queue = queue_with(fd, thread.tid());
  EXPECT_EQ(queue.epolls, 0U);
  EXPECT_EQ(link_of(queue, thread.tid()), AcceptLink::kPoll);
}

TEST_F(ThreadIteratorTest, AListenerThatNobodyWaitsFor) {
  const UniqueFd fd = listener();
  const UniqueFd pair(::eventfd(0, EFD_CLOEXEC));
  const ThreadsSeen seen = look({fd.get(), pair.get(), 1 << 20, -1});
  ASSERT_EQ(seen.listeners.size(), 1U);  // what does not listen has no waiters to speak of
  EXPECT_EQ(seen.listeners.front().fd, fd.get());
  EXPECT_EQ(seen.listeners.front().epolls, 0U);
  EXPECT_THAT(seen.listeners.front().waiters, IsEmpty());
}

TEST_F(ThreadIteratorTest, AThreadAtALock) {
  std::atomic<std::uint32_t> word = 0;
  const Waiting thread([&] { ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, nullptr); },
                       [&] {
                         word = 1;
                         ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1);
                       });
  const std::optional<ThreadLook> seen = seen_in(thread.tid(), "futex");
  ASSERT_TRUE(seen.has_value());
  EXPECT_EQ(seen->wait.lock, reinterpret_cast<std::uintptr_t>(&word));
  EXPECT_EQ(seen->wait.timed, false);
  EXPECT_EQ(seen->wait.fd, std::nullopt);
  EXPECT_EQ(seen->wait.target, std::nullopt);
  EXPECT_THAT(seen->wait.stack, Contains(AnyOf("futex_wait", "futex_wait_queue_me")));
}

TEST_F(ThreadIteratorTest, AThreadThatReadsAPipe) {
  Pipe pipe;
  const Waiting thread(
      [&] {
        ::pthread_setname_np(::pthread_self(), "reads a pipe");
        pipe.read_to_end();
      },
      [&] { pipe.end(); });
  const std::optional<ThreadLook> seen = seen_in(thread.tid(), "read");
  ASSERT_TRUE(seen.has_value());
  EXPECT_EQ(seen->comm, "reads a pipe");
  EXPECT_EQ(seen->wait.fd, pipe.out());
  struct stat status{};
  ASSERT_EQ(::fstat(pipe.out(), &status), 0);
  ASSERT_TRUE(seen->wait.target.has_value());
  EXPECT_EQ(seen->wait.target->type, "pipefs");
  EXPECT_EQ(seen->wait.target->inode, status.st_ino);
  EXPECT_EQ(seen->wait.target->device,
            std::uint64_t{::major(status.st_dev)} << 20 | ::minor(status.st_dev));
  EXPECT_EQ(seen->wait.target->path, std::nullopt);
}

TEST_F(ThreadIteratorTest, AThreadThatReceivesFromAConnection) {
  const UniqueFd fd = listener();
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ASSERT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::uint16_t port = ntohs(address.sin_port);
  std::vector<UniqueFd> clients = test::connect_many("127.0.0.1", port, 1);
  const UniqueFd server(::accept4(fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const Waiting thread(
      [&] {
        char byte = 0;
        ::recv(server.get(), &byte, 1, 0);
      },
      [&] { clients.clear(); });
  const std::optional<ThreadLook> seen = seen_in(thread.tid(), "recvfrom");
  ASSERT_TRUE(seen.has_value());
  ASSERT_TRUE(seen->wait.target.has_value());
  EXPECT_EQ(seen->wait.target->local, facts::IpAddress::parse("127.0.0.1"));
  EXPECT_EQ(seen->wait.target->local_port, port);
  EXPECT_EQ(seen->wait.target->peer, facts::IpAddress::parse("127.0.0.1"));
  EXPECT_NE(seen->wait.target->peer_port.value_or(0), 0);
}

// A call with a time-out waits in poll(); an event loop does as well, for many.
TEST_F(ThreadIteratorTest, AThreadThatPollsOneConnectionAndOneThatPollsTwo) {
  const UniqueFd fd = listener();
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ASSERT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  std::vector<UniqueFd> clients = test::connect_many("127.0.0.1", ntohs(address.sin_port), 2);
  const UniqueFd first(::accept4(fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const UniqueFd second(::accept4(fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const auto polls = [](std::vector<pollfd> wanted) { ::poll(wanted.data(), wanted.size(), -1); };
  const pollfd of_first{.fd = first.get(), .events = POLLIN, .revents = 0};
  const pollfd of_second{.fd = second.get(), .events = POLLIN, .revents = 0};
  const auto end = [&] { ::shutdown(first.get(), SHUT_RDWR); };
  const Waiting one([&] { polls({of_first}); }, end);
  const Waiting both([&] { polls({of_first, of_second}); }, end);
  ASSERT_TRUE(seen_in(one.tid(), "poll"));
  ASSERT_TRUE(seen_in(both.tid(), "poll"));
  WatchedProcess process{own_pid(), {fd.get()}};
  EXPECT_EQ(find(look(process), one.tid())->wait.target, std::nullopt);
  process.wants_descriptors = true;
  const ThreadsSeen seen = look(process);
  const facts::Wait& wait = find(seen, one.tid())->wait;
  EXPECT_EQ(wait.fd, first.get());
  ASSERT_TRUE(wait.target.has_value());
  EXPECT_EQ(wait.target->type, "sockfs");
  EXPECT_EQ(wait.target->local_port, ntohs(address.sin_port));
  EXPECT_EQ(wait.target->peer, facts::IpAddress::parse("127.0.0.1"));
  EXPECT_EQ(find(seen, both.tid())->wait.target, std::nullopt);
  ASSERT_TRUE(find(seen, both.tid())->polled.has_value());
  EXPECT_EQ(find(seen, both.tid())->polled->size(), 2U);
}

// As a program does that reads what its child prints; a master, and some event loops, have a pipe
// of their own by which they are woken.
TEST_F(ThreadIteratorTest, AThreadThatPollsAPipe) {
  const UniqueFd fd = listener();
  Pipe own;
  Pipe printed;
  auto child = std::make_unique<test::Forked>([] { ::pause(); });
  printed.end();  // only the child has it now
  const auto polls = [](std::vector<pollfd> wanted) { ::poll(wanted.data(), wanted.size(), -1); };
  const auto wanted = [](int each) { return pollfd{.fd = each, .events = POLLIN, .revents = 0}; };
  const auto end = [&] { child.reset(); };
  const Waiting self([&] { polls({wanted(own.out())}); }, [&] { own.end(); });
  const Waiting one([&] { polls({wanted(printed.out())}); }, end);
  const Waiting both([&] { polls({wanted(printed.out()), wanted(own.out())}); }, end);
  const Waiting accepts([&] { polls({wanted(printed.out()), wanted(fd.get())}); }, end);
  for (const Waiting* thread : {&self, &one, &both, &accepts}) {
    ASSERT_TRUE(seen_in(thread->tid(), "poll"));
  }
  WatchedProcess process{own_pid(), {fd.get()}};
  EXPECT_EQ(find(look(process), one.tid())->polled, std::nullopt);
  process.wants_descriptors = true;
  const ThreadsSeen seen = look(process);
  for (const Waiting* thread : {&one, &both}) {
    const ThreadLook* waits = find(seen, thread->tid());
    ASSERT_TRUE(waits->wait.target.has_value());
    EXPECT_EQ(waits->wait.target->type, "pipefs");
    EXPECT_EQ(waits->wait.fd, printed.out());
    ASSERT_TRUE(waits->polled.has_value());
    EXPECT_EQ(waits->polled->size(), 1U);
  }
  EXPECT_EQ(find(seen, self.tid())->wait.target, std::nullopt);
  ASSERT_TRUE(find(seen, self.tid())->polled.has_value());
  EXPECT_THAT(*find(seen, self.tid())->polled, IsEmpty());
  // The pipe is not what it is there for.
  EXPECT_EQ(find(seen, accepts.tid())->wait.target, std::nullopt);
}

TEST_F(ThreadIteratorTest, AThreadThatWaitsByAnEpoll) {
  const UniqueFd fd = listener();
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ASSERT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  std::vector<UniqueFd> clients = test::connect_many("127.0.0.1", ntohs(address.sin_port), 1);
  const UniqueFd connection(::accept4(fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  for (const int each : {connection.get(), clients[0].get()}) {
    epoll_event wanted{.events = EPOLLRDHUP, .data = {}};
    ASSERT_EQ(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, each, &wanted), 0);
  }
  const Waiting thread(
      [&] {
        epoll_event event{};
        ::epoll_wait(epoll.get(), &event, 1, -1);
      },
      [&] { ::shutdown(connection.get(), SHUT_RDWR); });
  ASSERT_TRUE(seen_in(thread.tid(), "epoll_wait"));
  WatchedProcess process{own_pid(), {fd.get()}};
  process.wants_descriptors = true;
  const ThreadsSeen seen = look(process);
  const ThreadLook* waits = find(seen, thread.tid());
  ASSERT_NE(waits, nullptr);
  ASSERT_TRUE(waits->polled.has_value());
  EXPECT_EQ(waits->polled->size(), 2U);
  EXPECT_EQ(seen.listeners.at(0).epolls, 0U);
}

TEST_F(ThreadIteratorTest, ConnectionsOfEachListenerAreCounted) {
  const UniqueFd fd = listener();
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ASSERT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::uint16_t port = ntohs(address.sin_port);
  const std::string path = "/tmp/acceptq-held-" + std::to_string(::getpid()) + ".sock";
  const UniqueFd same_port = test::listen_tcp("127.0.0.2", port, 5);
  const UniqueFd lonely = test::listen_tcp("127.0.0.1", 0, 5);
  const UniqueFd local = test::listen_unix(path, 5);
  const auto of_tcp = test::connect_many("127.0.0.1", port, 2);
  const auto of_unix = test::connect_many_unix(path, 1);
  ::unlink(path.c_str());
  const UniqueFd first(::accept4(fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const UniqueFd second(::accept4(fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const UniqueFd third(::accept4(local.get(), nullptr, nullptr, SOCK_CLOEXEC));
  ASSERT_TRUE(second.valid() && third.valid());
  WatchedProcess process{own_pid(), {fd.get(), same_port.get(), lonely.get(), local.get()}};
  EXPECT_THAT(look(process).held, IsEmpty());
  process.wants_descriptors = true;
  const ThreadsSeen seen = look(process);
  ASSERT_EQ(seen.held.size(), 1U);
  EXPECT_EQ(seen.held[0].pid, own_pid());
  // Of two with one port it may be either's.
  EXPECT_EQ(seen.held[0].connections,
            (std::map<std::int32_t, std::uint32_t>{
                {fd.get(), 2}, {same_port.get(), 2}, {lonely.get(), 0}, {local.get(), 1}}));
}

TEST_F(ThreadIteratorTest, AThreadThatComputes) {
  std::atomic<bool> enough = false;
  const Waiting thread(
      [&] {
        while (!enough) {
        }
      },
      [&] { enough = true; });
  std::optional<ThreadLook> seen;
  EXPECT_TRUE(test::eventually([&] {
    const ThreadsSeen all = look();
    const ThreadLook* found = find(all, thread.tid());
    if (found == nullptr) return false;
    seen = *found;
    return found->times.user_ns.value_or(0) > 20'000'000;
  }));
  ASSERT_TRUE(seen.has_value());
  EXPECT_EQ(seen->wait.state, "R");
  EXPECT_EQ(seen->wait.syscall, std::nullopt);
  EXPECT_THAT(seen->wait.stack, IsEmpty());
  EXPECT_TRUE(seen->times.delay_ns.has_value());
}

TEST_F(ThreadIteratorTest, AProcessThatWasStopped) {
  const test::Forked child([] { ::raise(SIGSTOP); });
  EXPECT_TRUE(test::eventually([&] {
    const ThreadsSeen seen = look(WatchedProcess{Pid(child.pid()), {}});
    const ThreadLook* first = find(seen, Pid(child.pid()));  // sanitizers add threads
    return first != nullptr && first->wait.state == "T";
  }));
}

TEST_F(ThreadIteratorTest, ThreadsBeyondTheMostAreCounted) {
  Pipe pipe;
  std::vector<std::unique_ptr<Waiting>> threads;
  threads.resize(150);
  for (auto& thread : threads) {
    thread = std::make_unique<Waiting>([&] { pipe.read_to_end(); }, [&] { pipe.end(); });
  }
  // More than one buffer of the kernel's holds.
  const ThreadsSeen all = look();
  EXPECT_GT(all.threads.size(), threads.size());
  EXPECT_EQ(all.left_out, 0U);
  EXPECT_TRUE(std::ranges::is_sorted(all.threads, {}, &ThreadLook::tid));
  const ThreadsSeen some = look(WatchedProcess{own_pid(), {}}, 40);
  EXPECT_EQ(some.threads.size(), 40U);
  EXPECT_EQ(some.left_out, all.threads.size() - 40);
  EXPECT_THAT(look(WatchedProcess{Pid(1 << 22), {}}).threads, IsEmpty());
}

}  // namespace
}  // namespace acceptq::collect::bpf
