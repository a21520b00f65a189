// The thread iterator against threads of the test's own, each of which waits where the test made it
// wait.
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
#include <atomic>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "collect/bpf/thread_iterator_test_support.h"

namespace acceptq::collect::bpf {
namespace {

using facts::AcceptLink;
using testing::AnyOf;
using testing::Contains;
using testing::IsEmpty;
using testing::Not;

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
