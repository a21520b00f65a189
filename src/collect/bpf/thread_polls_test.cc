// What else threads wait for by poll() and epolls, and whose connections their process has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "collect/bpf/thread_iterator_test_support.h"

namespace acceptq::collect::bpf {
namespace {

using testing::IsEmpty;

class ThreadPollsTest : public ThreadIteratorTest {};

// A call with a time-out waits in poll(); an event loop does as well, for many.
TEST_F(ThreadPollsTest, AThreadThatPollsOneConnectionAndOneThatPollsTwo) {
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
TEST_F(ThreadPollsTest, AThreadThatPollsAPipe) {
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

TEST_F(ThreadPollsTest, AThreadThatWaitsByAnEpoll) {
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

TEST_F(ThreadPollsTest, ConnectionsOfEachListenerAreCounted) {
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
  std::map<std::int32_t, std::uint32_t> connections;
  for (const auto& [listener, held] : seen.held[0].connections) connections[listener] = held.most;
  EXPECT_EQ(connections,
            (std::map<std::int32_t, std::uint32_t>{
                {fd.get(), 2}, {same_port.get(), 2}, {lonely.get(), 0}, {local.get(), 1}}));
  // Neither of the two clients has sent anything.
  EXPECT_EQ(seen.held[0].connections.at(fd.get()).silent, std::uint32_t{2});
  EXPECT_EQ(seen.held[0].connections.at(fd.get()).unanswered, std::uint32_t{0});
  // Of a Unix socket it is not known.
  EXPECT_EQ(seen.held[0].connections.at(local.get()).unanswered, std::uint32_t{1});
}

TEST_F(ThreadPollsTest, ClientsThatWaitForAnAnswerAreCounted) {
  const UniqueFd fd = listener();
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ASSERT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  const auto clients = test::connect_many("127.0.0.1", ntohs(address.sin_port), 1);
  const UniqueFd connection(::accept4(fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
  WatchedProcess process{own_pid(), {fd.get()}};
  process.wants_descriptors = true;
  const auto unanswered = [&] {
    return look(process).held.at(0).connections.at(fd.get()).unanswered;
  };
  const auto moves = [](const UniqueFd& from, const UniqueFd& to) {
    char byte = 'x';
    return ::send(from.get(), &byte, 1, 0) == 1 && ::recv(to.get(), &byte, 1, 0) == 1;
  };
  EXPECT_EQ(unanswered(), 0U);
  char byte = 'x';
  ASSERT_EQ(::send(clients[0].get(), &byte, 1, 0), 1);
  EXPECT_EQ(unanswered(), 1U);
  ASSERT_EQ(::recv(connection.get(), &byte, 1, 0), 1);
  EXPECT_EQ(unanswered(), 1U);
  // In the jiffy of the request nothing tells it from one before.
  constexpr auto kJiffy = std::chrono::milliseconds(10);
  std::this_thread::sleep_for(kJiffy);
  ASSERT_TRUE(moves(connection, clients[0]));
  EXPECT_EQ(unanswered(), 0U);
  std::this_thread::sleep_for(kJiffy);
  ASSERT_TRUE(moves(clients[0], connection));
  EXPECT_EQ(unanswered(), 1U);
  // Whoever asks again in the jiffy of the answer may have another answer due.
  ASSERT_TRUE(moves(connection, clients[0]) && moves(clients[0], connection));
  EXPECT_EQ(look(process).held.at(0).connections.at(fd.get()).mean_asked, 1);
}

}  // namespace
}  // namespace acceptq::collect::bpf
