#include "collect/thread_sampler.h"

#include <gtest/gtest.h>

#include "collect/watch.h"
#include "collect/watch_test_support.h"

namespace acceptq::collect {
namespace {

using facts::AcceptLink;

constexpr NetnsId kNetns{4026532000};
constexpr Pid kServer{100};

class ThreadSamplerTest : public testing::Test {
 protected:
  ThreadSamplerTest() {
    facts::Namespace ns;
    ns.id = kNetns;
    host_.snapshot.namespaces = {ns};
    facts::Listener listener;
    listener.netns = kNetns;
    listener.port = 80;
    listener.cookie = SocketCookie(80);
    listener.limit = QueueLimit(128);
    listener.drops = 5;
    listener.owners = {{.pid = kServer, .fd = 6}};
    host_.snapshot.listeners = {listener};
    threads_.seen.threads = {look("S", "epoll_wait")};
    threads_.seen.listeners = {
        {.pid = kServer, .fd = 6, .epolls = 1, .waiters = {{kServer, AcceptLink::kEpoll}}}};
  }

  static ThreadLook look(const char* state, const char* call) {
    ThreadLook look{.pid = kServer, .tid = kServer, .comm = "server"};
    look.wait.state = state;
    look.wait.syscall = call;
    look.wait.looks = 1;
    return look;
  }
  void at(double second, std::function<void()> what) {
    host_.script.emplace(static_cast<std::int64_t>(second * kSecond), std::move(what));
  }
  void wait_in_queue(std::uint32_t length) {
    host_.snapshot.listeners[0].accept_queue_len = QueueLength(length);
  }
  facts::Observation watch(double seconds) {
    QueueSampler queues(host_, kDenseSampling);
    ThreadSampler sampler(queues, threads_);
    Watch watch(host_, {&queues, &sampler});
    EXPECT_TRUE(watch.begin());
    const auto end = host_.now_ns() + static_cast<std::int64_t>(seconds * kSecond);
    while (host_.now_ns() < end) watch.tend(end);
    Result<facts::Observation> observation = watch.finish(watch.first());
    EXPECT_TRUE(observation);
    return std::move(*observation);
  }

  ScriptedHost host_;
  ScriptedThreads threads_;
};

// As gunicorn's master, which ends workers that hang.
TEST_F(ThreadSamplerTest, AWorkerThatAMasterBeginsAnewIsLookedAt) {
  constexpr Pid kOld{101};
  constexpr Pid kNew{102};
  wait_in_queue(128);
  std::vector<facts::OwnerRef>& owners = host_.snapshot.listeners[0].owners;
  owners.push_back({.pid = kOld, .fd = 6});
  ThreadLook worker = look("S", "recvfrom");
  worker.pid = worker.tid = kOld;
  threads_.seen.threads.push_back(worker);
  at(2.5, [&] {
    owners[1].pid = kNew;
    threads_.seen.threads.pop_back();
    worker.pid = worker.tid = kNew;
    threads_.seen.threads.push_back(worker);
  });
  const facts::Observation observation = watch(6);
  EXPECT_EQ(host_.scans, 3);
  const auto& acceptors = observation.accept_evidence.acceptors.begin()->second;
  ASSERT_EQ(acceptors.threads.size(), 3U);
  EXPECT_GT(acceptors.threads[1].looks, 5U);
  EXPECT_GT(acceptors.threads[2].looks, 5U);
}

TEST_F(ThreadSamplerTest, TellsWhenAThreadWasWhere) {
  wait_in_queue(128);
  at(3, [this] { threads_.seen.threads = {look("D", "read")}; });
  const facts::Observation observation = watch(8);
  const auto& acceptors = observation.accept_evidence.acceptors.begin()->second;
  ASSERT_TRUE(acceptors.parts);
  // 80 parts of 0.1 s are too many.
  EXPECT_EQ(acceptors.parts->part_ns, 400'000'000);
  ASSERT_EQ(acceptors.threads.size(), 1U);
  for (const facts::Wait& wait : acceptors.threads[0].waits) {
    std::uint32_t looks = 0;
    for (const std::uint32_t count : wait.when) looks += count;
    EXPECT_EQ(looks, wait.looks);
    const bool early = wait.syscall == "epoll_wait";
    EXPECT_EQ(wait.when[0] > 0, early) << *wait.syscall;
    EXPECT_EQ(wait.when.size() > 8, !early) << *wait.syscall;
  }
}

TEST_F(ThreadSamplerTest, TellsHowManyConnectionsWereOpenOnTheWhole) {
  wait_in_queue(128);
  const auto held = [&](std::uint32_t most, std::uint32_t asked) {
    const facts::HeldConnections connections{
        .pid = kServer, .most = most, .silent = 0, .asked = asked, .unanswered = most};
    threads_.seen.held = {{.pid = kServer, .connections = {{6, connections}}}};
  };
  held(1, 1);
  at(3, [&] { held(5, 0); });
  const facts::Observation observation = watch(4);
  const auto& acceptors = observation.accept_evidence.acceptors.begin()->second;
  ASSERT_EQ(acceptors.held.size(), 1U);
  const facts::HeldConnections& all = acceptors.held[0];
  EXPECT_EQ(all.most, 5U);
  EXPECT_EQ(all.asked, 0U);
  ASSERT_TRUE(all.mean && all.mean_asked);
  EXPECT_GT(*all.mean, 1);
  EXPECT_LT(*all.mean, 5);
  EXPECT_NEAR(*all.mean, *all.mean_asked + 5 * (1 - *all.mean_asked), 1e-9);
}

TEST_F(ThreadSamplerTest, WantsMoreUntilItHasLookedOftenEnough) {
  QueueSampler queues(host_, kDenseSampling);
  ThreadSampler sampler(queues, threads_);
  Watch watch(host_, {&queues, &sampler});
  ASSERT_TRUE(watch.begin());
  EXPECT_FALSE(sampler.wants_more()) << "nothing is in trouble";
  wait_in_queue(128);
  while (threads_.looks < 5) watch.tend(host_.now_ns() + kSecond);
  EXPECT_TRUE(sampler.wants_more());
  while (threads_.looks < 10) watch.tend(host_.now_ns() + kSecond);
  EXPECT_FALSE(sampler.wants_more());
}

TEST_F(ThreadSamplerTest, ReadsNothingWhileNothingIsInTrouble) {
  wait_in_queue(3);
  const facts::Observation observation = watch(2);
  EXPECT_EQ(threads_.looks, 0);
  EXPECT_EQ(observation.accept_evidence, facts::AcceptEvidence{});
}

TEST_F(ThreadSamplerTest, LooksFromTheMomentThatAQueueFills) {
  at(2.0, [&] { wait_in_queue(64); });
  at(2.5, [&] {
    threads_.seen.threads = {look("D", "read")};
    threads_.seen.threads[0].wait.target = facts::FileTarget{.type = "fuse", .device = 49};
    threads_.seen.threads[0].times.delay_ns = 500;
    threads_.seen.listeners[0].waiters.clear();
  });
  const facts::Observation observation = watch(2);
  ASSERT_EQ(observation.accept_evidence.acceptors.size(), 1U);
  const auto& [key, acceptors] = *observation.accept_evidence.acceptors.begin();
  EXPECT_EQ(key, facts::listener_key(host_.snapshot.listeners[0]));
  ASSERT_EQ(acceptors.threads.size(), 1U);
  const facts::ThreadWatch& thread = acceptors.threads[0];
  EXPECT_EQ(thread.link, AcceptLink::kEpoll);  // it was seen there once
  EXPECT_NEAR(static_cast<double>(thread.watched_ns), 1e9, 0.1e9);
  ASSERT_EQ(thread.waits.size(), 2U);
  EXPECT_NEAR(thread.waits[0].looks, thread.looks / 2.0, 3);
  EXPECT_EQ(acceptors.queue_looks, thread.looks);
  EXPECT_NEAR(acceptors.waited_for, thread.looks / 2.0, 3);
  EXPECT_EQ(acceptors.in_epoll, thread.looks);
  EXPECT_EQ(threads_.asked[0].listener_fds, std::vector<std::int32_t>{6});
  EXPECT_EQ(observation.accept_evidence.processes[0].pid, kServer);
  EXPECT_EQ(threads_.fuse_of, std::vector<std::uint64_t>{49});
  EXPECT_EQ(observation.accept_evidence.fuse.size(), 1U);
}

TEST_F(ThreadSamplerTest, CountsTimeWhileAListenerIsInTroubleAndNoLonger) {
  at(2.0, [&] { wait_in_queue(64); });
  at(2.5, [&] {
    EXPECT_TRUE(threads_.counts);
    EXPECT_EQ(threads_.counted, std::set<Pid>{kServer});
    wait_in_queue(0);
  });
  at(8.5, [&] {
    EXPECT_FALSE(threads_.counts);
    threads_.times = {{.pid = kServer,
                       .tid = kServer,
                       .time = {.counted_ns = 100, .ready_ns = 10},
                       .unmoved_ns = 90,
                       .closed = {{{80, 5}, {81, 7}}}}};
  });
  const facts::Observation observation = watch(8);
  const auto& acceptors = observation.accept_evidence.acceptors.begin()->second;
  ASSERT_EQ(acceptors.threads.size(), 1U);
  ASSERT_TRUE(acceptors.threads[0].exact);
  EXPECT_EQ(acceptors.threads[0].exact->ready_ns, 10U);
  // Of the listener's port.
  EXPECT_EQ(acceptors.threads[0].closed, 5U);
  ASSERT_EQ(acceptors.threads[0].exact->blocked.size(), 1U);
  EXPECT_EQ(acceptors.threads[0].exact->blocked[0].syscall, "epoll_wait");
}

// Each switch of a counted thread costs its server time.
TEST_F(ThreadSamplerTest, CountsNoTimeOfThreadsThatSwitchAllTheTime) {
  wait_in_queue(64);
  threads_.seen.threads[0].times.voluntary = 0;
  for (int i = 1; i <= 40; ++i) {
    at(1.0 + i * 0.05, [this] { *threads_.seen.threads[0].times.voluntary += 5000; });
  }
  at(2.0, [&] {
    EXPECT_FALSE(threads_.counts);
    EXPECT_GT(threads_.looks, 5);
  });
  EXPECT_FALSE(watch(2).accept_evidence.acceptors.begin()->second.threads[0].exact);
}

// A burst may be over before its queue is looked at.
TEST_F(ThreadSamplerTest, LooksWhereASocketDropsMore) {
  at(2.0, [&] { host_.snapshot.listeners[0].drops = 6; });
  EXPECT_GT(watch(2).accept_evidence.acceptors.begin()->second.threads[0].looks, 10U);
}

TEST_F(ThreadSamplerTest, WithoutTheWaitQueueACallTells) {
  wait_in_queue(64);
  threads_.seen.listeners.clear();
  threads_.seen.threads = {look("S", "accept4"), look("S", "accept4")};
  threads_.seen.threads[0].wait.fd = 6;
  threads_.seen.threads[1].tid = Pid(101);
  threads_.seen.threads[1].wait.fd = 7;  // of another listener
  const facts::Observation observation = watch(1);
  const auto& acceptors = observation.accept_evidence.acceptors.begin()->second;
  EXPECT_EQ(acceptors.queue_looks, 0U);
  EXPECT_EQ(acceptors.threads[0].link, AcceptLink::kAccept);
  EXPECT_EQ(acceptors.threads[1].link, AcceptLink::kOwner);
}

// One entry for a thousand clients, whatever their ports.
TEST_F(ThreadSamplerTest, PutsClientsTogetherAndServersApart) {
  wait_in_queue(64);
  int turn = 0;
  for (double second = 1; second < 3; second += 0.01) {
    at(second, [&] {
      facts::FileTarget target{.type = "sockfs", .inode = static_cast<std::uint64_t>(turn)};
      const int other = turn % 3;  // 0: a client of this listener
      target.local_port = other == 0 ? 80 : 50000 + turn;
      target.peer = facts::IpAddress::parse("10.0.0.3");
      target.peer_port = other == 0 ? 2000 + turn : 3306 + other;
      threads_.seen.threads = {look("S", "recvfrom")};
      threads_.seen.threads[0].wait.target = target;
      ++turn;
    });
  }
  const facts::Observation observation = watch(2);
  EXPECT_EQ(observation.accept_evidence.acceptors.begin()->second.threads[0].waits.size(), 3U);
}

PolledLook connection(std::int32_t client_of, std::uint16_t peer_port) {
  PolledLook polled{.target = {.type = "sockfs"}, .client_of = client_of, .is_asking = true};
  polled.target.peer = facts::IpAddress::parse("10.0.0.9");
  polled.target.peer_port = peer_port;
  return polled;
}

// A handler that has an event loop of its own waits for the server that the loop is connected to.
TEST_F(ThreadSamplerTest, AnEpollWithoutClientsIsAboutTheOtherServer) {
  const auto wait_of = [&](std::vector<PolledLook> polled, bool has_other_threads) {
    wait_in_queue(64);
    ThreadLook waits = look("S", "epoll_wait");
    waits.wait.target = facts::FileTarget{.type = "anon_inodefs"};
    waits.polled = std::move(polled);
    threads_.seen.threads = {waits};
    if (has_other_threads) {
      threads_.seen.threads.push_back(look("S", "futex"));
      threads_.seen.threads[1].tid = Pid(101);
    }
    threads_.seen.listeners[0] = {.pid = kServer, .fd = 6, .epolls = 0, .waiters = {}};
    const facts::Observation observation = watch(1);
    const auto& threads = observation.accept_evidence.acceptors.begin()->second.threads;
    return threads.at(0).waits.at(0);
  };
  const auto target_of = [&](std::vector<PolledLook> polled, bool has_other_threads) {
    return wait_of(std::move(polled), has_other_threads).target->peer_port;
  };
  const PolledLook pair{.target = {.type = "sockfs"}};  // of Unix sockets, by which it is woken
  EXPECT_EQ(target_of({pair, connection(-1, 9090)}, false), 9090);
  EXPECT_EQ(target_of({pair}, false), std::nullopt);
  // A loop that holds clients has taken the listener out.
  EXPECT_EQ(target_of({connection(6, 4242), connection(-1, 9090)}, false), std::nullopt);
  // It may be a pool's, and another thread the one that accepts.
  EXPECT_EQ(target_of({connection(-1, 9090)}, true), std::nullopt);
  using facts::Polled;
  const PolledLook pipe{.target = {.type = "pipefs"}};
  EXPECT_EQ(wait_of({}, true).polled, Polled::kNothing);
  EXPECT_EQ(wait_of({pair}, true).polled, Polled::kNothing);
  EXPECT_EQ(wait_of({pair, pipe}, true).polled, Polled::kPipes);
  EXPECT_EQ(wait_of({connection(-1, 9090), pipe}, true).polled, Polled::kConnections);
  EXPECT_EQ(wait_of({connection(6, 4242), connection(-1, 9090)}, true).polled, Polled::kClients);
  PolledLook idle = connection(-1, 9090);
  idle.is_asking = false;
  EXPECT_EQ(wait_of({idle}, true).polled, Polled::kNothing);
  EXPECT_EQ(target_of({idle}, false), std::nullopt);
}

// As in HAProxy at its limit: of its threads one may happen to have servers alone.
TEST_F(ThreadSamplerTest, AnEventLoopWaitsForServersOnBehalfOfItsClients) {
  wait_in_queue(64);
  threads_.seen.threads = {look("S", "epoll_wait"), look("S", "epoll_wait")};
  threads_.seen.threads[0].polled = std::vector{connection(-1, 9090)};
  threads_.seen.threads[1].tid = Pid(101);
  threads_.seen.threads[1].polled = std::vector{connection(6, 4242)};
  threads_.seen.listeners[0] = {.pid = kServer, .fd = 6, .epolls = 0, .waiters = {}};
  const facts::Observation observation = watch(1);
  const auto& threads = observation.accept_evidence.acceptors.begin()->second.threads;
  EXPECT_EQ(threads.at(0).waits.at(0).polled, std::nullopt);
  EXPECT_EQ(threads.at(1).waits.at(0).polled, facts::Polled::kClients);
}

}  // namespace
}  // namespace acceptq::collect
