#include "agent/agent.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "agent/agent_test_support.h"
#include "collect/watch_test_support.h"
#include "facts/json.h"

namespace acceptq::agent {
namespace {

class AgentTest : public testing::Test {
 protected:
  AgentTest() {
    const facts::Observation calm =
        make_observation(5, {make_socket(1, 10)}, {make_pod_process(10, "nginx")});
    host_.snapshot = calm.after;
    host_.snapshot.scan_method = "iterator";
    counter("TcpExtListenDrops") = counter("TcpExtListenOverflows") = 0;
    handshakes_.is_traced = false;
  }

  std::uint64_t& counter(const char* name) { return host_.snapshot.namespaces[0].counters[name]; }
  void watch_for(std::int64_t seconds) {
    const std::int64_t end = host_.now_ns() + seconds * kTestSecond;
    while (host_.now_ns() < end) agent_.tend(end);
  }

  collect::ScriptedHost host_;
  collect::ScriptedHandshakes handshakes_;
  collect::ScriptedThreads threads_;
  std::vector<std::string> failures_;
  Agent agent_{{}, host_, handshakes_, threads_, [this](const Error& error) {
                 failures_.push_back(error.message());
               }};
};

TEST_F(AgentTest, WhatIsJudgedOnceIsNotJudgedAgain) {
  ASSERT_TRUE(agent_.begin());
  const auto first = agent_.frame();
  EXPECT_EQ(first->agent.scans, 1U);
  EXPECT_TRUE(first->listeners.at(0).second.limit_set_by);
  watch_for(6);
  EXPECT_EQ(agent_.frame()->agent.scans, 2U);
}

// By counters alone, of the only listener of its namespace.
TEST_F(AgentTest, RefusalsThatCountersTellAreAddedUp) {
  ASSERT_TRUE(agent_.begin());
  const auto refuse = [this](std::uint32_t packets) {
    counter("TcpExtListenDrops") += packets;
    counter("TcpExtListenOverflows") += packets;
    facts::Listener& listener = host_.snapshot.listeners[0];
    listener.drops = listener.drops.value_or(0) + packets;
    listener.accept_queue_len = QueueLength(129);
  };
  host_.snapshot.listeners[0].drops = 0;
  watch_for(6);
  refuse(7);
  watch_for(6);
  refuse(5);
  watch_for(6);
  const auto frame = agent_.frame();
  const ListenerSeries& series = frame->listeners.at(0).second;
  EXPECT_EQ(series.refused[static_cast<std::size_t>(RefusedAs::kUnknown)], 12U);
  EXPECT_EQ(series.longest, QueueLength(129));
}

TEST_F(AgentTest, HandsOverWhatItObservesNext) {
  ASSERT_TRUE(agent_.begin());
  std::shared_ptr<const std::string> json;
  std::atomic<bool> has_answer{false};
  std::thread asking([&] {
    json = agent_.next_observation(std::chrono::seconds(60));
    has_answer = true;
  });
  // Its patience is of another clock than this one.
  while (!has_answer) watch_for(2);
  asking.join();
  ASSERT_TRUE(json);
  EXPECT_TRUE(facts::observation_from_json(*json));
}

TEST_F(AgentTest, WhoWaitsIsSentAwayAtTheEnd) {
  ASSERT_TRUE(agent_.begin());
  std::thread asking([&] { EXPECT_FALSE(agent_.next_observation(std::chrono::seconds(60))); });
  agent_.end();
  asking.join();
}

}  // namespace
}  // namespace acceptq::agent
