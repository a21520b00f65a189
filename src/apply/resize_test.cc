// Real sockets of a process other than acceptq, in a namespace of their own.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "apply/resize_test_support.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

namespace acceptq::apply {
namespace {

using testing::HasSubstr;

TEST_F(ResizeTest, Ipv4AndSomaxconnIsPutBack) {
  std::vector<UniqueFd> sockets(1);
  ns_->run([&] { sockets[0] = test::listen_tcp("127.0.0.1", 8080, 5); });
  hand_over(std::move(sockets));
  std::vector<UniqueFd> clients;
  ns_->run([&] { clients = test::connect_many("127.0.0.1", 8080, 4); });
  ASSERT_TRUE(
      test::eventually([&] { return look().listeners.at(0).accept_queue_len == QueueLength{4}; }));
  const ResizeOutcome outcome = resize_to(look(), 10'000);
  ASSERT_TRUE(outcome.done()) << outcome.members.at(0).error.value_or(Error{}).message();
  EXPECT_EQ(outcome.members[0].before, QueueLimit{5});
  EXPECT_EQ(outcome.members[0].after, QueueLimit{10'000});
  EXPECT_EQ(outcome.members[0].by->pid.value(), holder_->pid());
  ASSERT_TRUE(outcome.somaxconn);
  EXPECT_EQ(outcome.somaxconn->end, SomaxconnEnd::kPutBack);
  EXPECT_EQ(outcome.somaxconn->raised_to, 10'000);
  EXPECT_EQ(somaxconn(), 128);
  // What was queued still is.
  EXPECT_EQ(look().listeners.at(0).accept_queue_len, QueueLength{4});
  EXPECT_EQ(look().listeners.at(0).limit, QueueLimit{10'000});
}

TEST_F(ResizeTest, SomaxconnMayStayRaised) {
  std::vector<UniqueFd> sockets(1);
  ns_->run([&] { sockets[0] = test::listen_tcp("127.0.0.1", 8080, 5); });
  hand_over(std::move(sockets));
  afterwards_ = RaisedSomaxconn::Afterwards::kKeep;
  const ResizeOutcome outcome = resize_to(look(), 600);
  ASSERT_TRUE(outcome.done());
  EXPECT_EQ(outcome.somaxconn->end, SomaxconnEnd::kKept);
  EXPECT_EQ(somaxconn(), 600);
}

TEST_F(ResizeTest, Ipv6) {
  std::vector<UniqueFd> sockets(1);
  ns_->run([&] { sockets[0] = test::listen_tcp("::1", 8080, 5); });
  hand_over(std::move(sockets));
  const ResizeOutcome outcome = resize_to(look(), 100);
  ASSERT_TRUE(outcome.done()) << outcome.members.at(0).error.value_or(Error{}).message();
  EXPECT_EQ(outcome.members[0].after, QueueLimit{100});
  EXPECT_EQ(outcome.somaxconn->end, SomaxconnEnd::kNotNeeded);
}

TEST_F(ResizeTest, Mptcp) {
  std::vector<UniqueFd> sockets(1);
  ns_->run([&] {
    sockets[0] = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP));
    const sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(8080)};
    if (!sockets[0].valid()) return;
    test::require(::bind(sockets[0].get(), reinterpret_cast<const sockaddr*>(&address),
                         sizeof address) == 0 &&
                      ::listen(sockets[0].get(), 5) == 0,
                  "mptcp");
  });
  if (!sockets[0].valid()) GTEST_SKIP() << "this kernel has no MPTCP";
  hand_over(std::move(sockets));
  const facts::Snapshot seen = look();
  ASSERT_TRUE(seen.listeners.at(0).mptcp);
  const ResizeOutcome outcome = resize_to(seen, 1000);
  ASSERT_TRUE(outcome.done()) << outcome.members.at(0).error.value_or(Error{}).message();
  EXPECT_EQ(outcome.members[0].after, QueueLimit{1000});
  EXPECT_EQ(somaxconn(), 128);
}

TEST_F(ResizeTest, EveryMemberOfAReuseportGroup) {
  std::vector<UniqueFd> sockets(3);
  ns_->run([&] {
    for (UniqueFd& socket : sockets) {
      socket = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const int on = 1;
      const sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(8080)};
      test::require(::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0 &&
                        ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address),
                               sizeof address) == 0 &&
                        ::listen(socket.get(), 5) == 0,
                    "reuseport");
    }
  });
  hand_over(std::move(sockets));
  const ResizeOutcome outcome = resize_to(look(), 1000);
  ASSERT_EQ(outcome.members.size(), 3U);
  EXPECT_TRUE(outcome.done());
  for (const facts::Listener& each : look().listeners) EXPECT_EQ(each.limit, QueueLimit{1000});
}

TEST_F(ResizeTest, AServerThatHasEndedIsLeftAlone) {
  std::vector<UniqueFd> sockets(1);
  ns_->run([&] { sockets[0] = test::listen_tcp("127.0.0.1", 8080, 5); });
  hand_over(std::move(sockets));
  const facts::Snapshot seen = look();
  const collect::netns::Handle way = entrance();
  holder_->end();
  const Result<ResizePlan> plan = plan_resize(seen, seen.listeners.at(0), QueueLimit{1000});
  const ResizeOutcome outcome = resize(*plan, way);
  EXPECT_FALSE(outcome.done());
  EXPECT_EQ(somaxconn(), 128);
}

// It ends after all was seen to be as planned, and somaxconn is raised already.
TEST_F(ResizeTest, AServerThatEndsMeanwhileCostsNothing) {
  std::vector<UniqueFd> sockets(1);
  ns_->run([&] { sockets[0] = test::listen_tcp("127.0.0.1", 8080, 5); });
  hand_over(std::move(sockets));
  const ResizeOutcome outcome = resize_to(look(), 1000, [&](const SomaxconnOutcome&) -> Status {
    holder_->end();
    return {};
  });
  EXPECT_FALSE(outcome.done());
  EXPECT_THAT(outcome.members.at(0).error->message(), HasSubstr("has ended"));
  EXPECT_EQ(outcome.somaxconn->end, SomaxconnEnd::kPutBack);
  EXPECT_EQ(somaxconn(), 128);
}

// The descriptor's number is another socket's when the duplicate is taken.
TEST_F(ResizeTest, AnotherSocketUnderTheSameNumberIsNotTouched) {
  UniqueFd meant;
  UniqueFd other;
  ns_->run([&] {
    meant = test::listen_tcp("127.0.0.1", 8080, 5);
    other = test::listen_tcp("127.0.0.1", 8081, 7);
  });
  facts::Snapshot seen = look();
  ASSERT_EQ(seen.listeners.size(), 2U);
  const ResizeOutcome outcome = resize_to(seen, 1000, [&](const SomaxconnOutcome&) -> Status {
    test::require(::dup2(other.get(), meant.get()) == meant.get(), "dup2");
    return {};
  });
  EXPECT_FALSE(outcome.done());
  EXPECT_THAT(outcome.members.at(0).error->message(), HasSubstr("another socket"));
  EXPECT_EQ(look().listeners.at(0).limit, QueueLimit{7});
  EXPECT_EQ(somaxconn(), 128);
}

TEST_F(ResizeTest, AClosedDescriptorIsSaidToBe) {
  UniqueFd meant;
  UniqueFd kept;  // so that the listener is there, under another number than was seen
  ns_->run([&] { meant = test::listen_tcp("127.0.0.1", 8080, 5); });
  meant = UniqueFd(::fcntl(meant.get(), F_DUPFD_CLOEXEC, 200));  // a number that nothing else gets
  const facts::Snapshot seen = look();
  const ResizeOutcome outcome = resize_to(seen, 1000, [&](const SomaxconnOutcome&) -> Status {
    kept = UniqueFd(::fcntl(meant.get(), F_DUPFD_CLOEXEC, 100));
    meant.reset();
    return {};
  });
  EXPECT_FALSE(outcome.done());
  EXPECT_THAT(outcome.members.at(0).error->message(), HasSubstr("has closed descriptor"));
  EXPECT_EQ(look().listeners.at(0).limit, QueueLimit{5});
}

// Another process has the PID by now: its start time tells.
TEST_F(ResizeTest, AnotherProcessUnderTheSameNumberIsNotTouched) {
  std::vector<UniqueFd> sockets(1);
  ns_->run([&] { sockets[0] = test::listen_tcp("127.0.0.1", 8080, 5); });
  hand_over(std::move(sockets));
  facts::Snapshot seen = look();
  for (facts::Process& process : seen.processes) process.start_ticks += 1;
  const ResizeOutcome outcome = resize_to(seen, 1000);
  EXPECT_FALSE(outcome.done());
  EXPECT_THAT(outcome.members.at(0).error->message(), HasSubstr("another process has its number"));
  EXPECT_EQ(look().listeners.at(0).limit, QueueLimit{5});
}

TEST_F(ResizeTest, NothingIsChangedWithoutConsent) {
  std::vector<UniqueFd> sockets(1);
  ns_->run([&] { sockets[0] = test::listen_tcp("127.0.0.1", 8080, 5); });
  hand_over(std::move(sockets));
  const ResizeOutcome outcome = resize_to(look(), 1000, [](const SomaxconnOutcome& somaxconn) {
    EXPECT_EQ(somaxconn.raised_to, 1000);
    return Status(fail(ErrorCode::kIo, "the journal cannot be written"));
  });
  EXPECT_EQ(outcome.error->message(), "the journal cannot be written");
  EXPECT_EQ(look().listeners.at(0).limit, QueueLimit{5});
}

TEST_F(ResizeTest, AnUndoLeavesWhatSomebodyElseHasSet) {
  UniqueFd server;
  ns_->run([&] { server = test::listen_tcp("127.0.0.1", 8080, 5); });
  const facts::Snapshot seen = look();
  Result<ResizePlan> plan = plan_resize(seen, seen.listeners.at(0), QueueLimit{3});
  plan->only_if_unchanged = true;
  test::require(::listen(server.get(), 6) == 0, "listen");
  const ResizeOutcome changed = resize(*plan, entrance());
  EXPECT_THAT(changed.members.at(0).error->message(), HasSubstr("its limit is 6 by now"));
  test::require(::listen(server.get(), 5) == 0, "listen");
  std::vector<UniqueFd> clients;
  ns_->run([&] { clients = test::connect_many("127.0.0.1", 8080, 4); });
  ASSERT_TRUE(test::eventually([&] { return test::waiting_connections(server) == 4; }));
  const ResizeOutcome waiting = resize(*plan, entrance());
  EXPECT_THAT(waiting.members.at(0).error->message(), HasSubstr("4 connections wait"));
  plan->members[0].to = QueueLimit{4};
  EXPECT_TRUE(resize(*plan, entrance()).done());
  EXPECT_EQ(look().listeners.at(0).limit, QueueLimit{4});
}

}  // namespace
}  // namespace acceptq::apply
