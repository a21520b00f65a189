// Where the time of accepting threads goes: real servers, by the scheduler's events where they may
// be counted. On a machine that others use as well nothing is said of fine times.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "support/child.h"
#include "support/netns.h"
#include "support/traffic.h"

namespace acceptq::test {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::uint16_t kPort = 8080;

void spin(milliseconds how_long) {
  const auto end = steady_clock::now() + how_long;
  while (steady_clock::now() < end) {
  }
}

void stay_on_first_core() {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(0, &one);
  ::sched_setaffinity(0, sizeof one, &one);
}

class AcceptTimeTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!may_unshare()) GTEST_SKIP() << "needs root, to make network namespaces";
    ns_ = std::make_unique<TestNetns>();
    recording_ = std::filesystem::temp_directory_path() /
                 ("acceptq-accept-time-" + std::to_string(::getpid()) + ".json");
  }
  void TearDown() override {
    std::error_code none;
    if (!recording_.empty()) std::filesystem::remove(recording_, none);
  }

  // Checks a server that does `before_accept` for each connection, while more come than it takes.
  void check_server(const std::function<void()>& before_accept) {
    UniqueFd listener;
    ns_->run([&] { listener = listen_tcp("127.0.0.1", kPort, 4); });
    const Forked server([&] {
      for (;;) {
        before_accept();
        ::close(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      }
    });
    listener = UniqueFd();
    const SteadyClients trying(ns_->fd(), "127.0.0.1", kPort);
    const std::string program = ACCEPTQ_BINARY_DIR "/acceptq";
    const Output output = run_program({program, "check", "--json", "--tracing", "none", "--for",
                                       "2s", "--save", recording_, ns_->selector()});
    report_ = json::parse(output.out, nullptr, false);
    ASSERT_FALSE(report_.is_discarded()) << output.out << output.err;
    std::ifstream file(recording_);
    const json recorded = json::parse(file, nullptr, false);
    ASSERT_FALSE(recorded.is_discarded());
    // A recording holds the whole host, which may have other listeners in trouble.
    const json& acceptors = recorded.at("accept_evidence").at("acceptors");
    const std::string key = report_.at("listeners").at(0).at("key");
    ASSERT_TRUE(acceptors.contains(key)) << report_.dump(1);
    // A sanitizer's runtime may have a thread of its own beside the server's.
    const json& threads = acceptors.at(key).at("threads");
    const auto main = std::ranges::find_if(
        threads, [](const json& thread) { return thread.at("tid") == thread.at("pid"); });
    ASSERT_NE(main, threads.end()) << threads.dump(1);
    if (main->at("exact").is_null()) {
      GTEST_SKIP() << "no BPF program on the scheduler's tracepoints here";
    }
    exact_ = main->at("exact");
  }

  [[nodiscard]] std::uint64_t exact(const char* member) const { return exact_.at(member); }
  [[nodiscard]] std::uint64_t blocked() const {
    std::uint64_t sum = 0;
    for (const json& place : exact_.at("blocked")) sum += place.at("ns").get<std::uint64_t>();
    return sum;
  }
  // Without a gap, and nothing twice.
  void expect_whole() const {
    EXPECT_EQ(exact("on_core_ns") + exact("ready_ns") + exact("unplaced_ns") + blocked(),
              exact("counted_ns"));
    EXPECT_GT(exact("counted_ns"), 500'000'000U);
  }
  // The share of this cause; negative where it is not named.
  [[nodiscard]] double share_of(const std::string& kind) const {
    for (const json& finding : report_.at("findings")) {
      if (finding.at("cause").is_null() || finding.at("cause").at("kind") != kind) continue;
      for (const json& each : finding.at("evidence")) {
        if (each.at("name") != "exactly_timed_threads") continue;
        EXPECT_GE(each.at("total"), 1);
      }
      return finding.at("cause").at("share");
    }
    return -1;
  }

  std::unique_ptr<TestNetns> ns_;
  std::filesystem::path recording_;
  json report_;
  json exact_;
};

TEST_F(AcceptTimeTest, AServerThatSleeps) {
  check_server([] { std::this_thread::sleep_for(milliseconds(60)); });
  if (exact_.is_null()) return;
  expect_whole();
  EXPECT_GT(share_of("sleep"), 0.5) << report_.at("findings").dump(1);
  EXPECT_NEAR(share_of("sleep"),
              static_cast<double>(blocked()) / static_cast<double>(exact("counted_ns")), 0.05);
}

TEST_F(AcceptTimeTest, AServerThatComputes) {
  check_server([] { spin(milliseconds(60)); });
  if (exact_.is_null()) return;
  expect_whole();
  EXPECT_LT(blocked(), exact("counted_ns") / 2);
  EXPECT_GT(share_of("cpu.busy") + share_of("cpu.starved"), -1) << report_.at("findings").dump(1);
}

TEST_F(AcceptTimeTest, AServerThatHasToShareItsCore) {
  const auto others = [] {
    stay_on_first_core();
    for (;;) spin(milliseconds(100));
  };
  const Forked first(others);
  const Forked second(others);
  const Forked third(others);
  check_server([] {
    stay_on_first_core();
    spin(milliseconds(20));
  });
  if (exact_.is_null()) return;
  expect_whole();
  EXPECT_GT(exact("ready_ns"), exact("on_core_ns"));
  EXPECT_GT(share_of("cpu.starved"), 0.3) << report_.at("findings").dump(1);
}

}  // namespace
}  // namespace acceptq::test
