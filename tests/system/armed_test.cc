// `acceptq check --until-overflow` on the running kernel, from outside.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>

#include "support/child.h"
#include "support/netns.h"
#include "support/traffic.h"
#include "support/tun_clients.h"

namespace acceptq::test {
namespace {

using nlohmann::json;

constexpr const char* kProgram = ACCEPTQ_BINARY_DIR "/acceptq";
constexpr std::uint16_t kPort = 8080;
constexpr int kBacklog = 2;

class Armed : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!may_unshare()) GTEST_SKIP() << "needs root, to make a network namespace";
    if (!has_tun()) GTEST_SKIP() << "needs /dev/net/tun";
    std::string pattern = std::filesystem::temp_directory_path() / "acceptq-armed-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  [[nodiscard]] std::string path(const char* name) const { return folder_ / name; }
  [[nodiscard]] std::string content(const char* name) const {
    std::ifstream file(path(name));
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  std::filesystem::path folder_;
};

// A listener that overflows and is then closed: what was before, whose it was, and the command that
// ran in that moment.
TEST_P(Armed, KeepsWhatWasBeforeAndAfterTheOverflow) {
  const TestNetns ns;
  UniqueFd listener;
  ns.run([&] { listener = listen_tcp("0.0.0.0", kPort, kBacklog); });
  TunClients clients(ns, kPort);
  Output checked;
  std::atomic<bool> ended = false;
  const std::string command = "echo $ACCEPTQ_ENDPOINT $ACCEPTQ_PIDS > " + path("moment");
  std::thread program([&] {
    checked = run_program({kProgram, "check", ns.selector(), "--until-overflow", "--for", "100s",
                           "--json", "--save", path("night.json"), "--exec", command, "--tracing",
                           GetParam()});
    ended = true;
  });
  for (int i = 0; i <= kBacklog; ++i) {
    TunClient& client = clients.connect();
    clients.receive();
    clients.send_ack(client);
  }
  // How long it takes until it is armed is not known: refused clients until it has noticed one.
  while (!ended && !std::filesystem::exists(path("moment"))) {
    clients.connect();
    clients.receive(std::chrono::milliseconds(100));
  }
  const bool traced = std::string(GetParam()) != "none";
  if (traced) listener.reset();
  program.join();
  ASSERT_EQ(checked.exit_code, 1) << checked.err;
  const json report = json::parse(checked.out);
  EXPECT_EQ(report["verdict"], "overflowing");
  ASSERT_TRUE(report["host"]["incident"].is_object());
  EXPECT_TRUE(std::filesystem::exists(path("night.json")));
  if (!traced) {
    // By counters alone: that there was an overflow, and in which namespace.
    EXPECT_EQ(report["listeners"].at(0)["verdict"], "overflowing");
    EXPECT_EQ(report["host"]["tracing"], nullptr);
    return;
  }
  if (report["host"]["tracing"].is_null()) GTEST_SKIP() << report["blind_spots"];
  EXPECT_EQ(content("moment"), "0.0.0.0:8080 " + std::to_string(::getpid()) + "\n");
  const json& found = report["listeners"].at(0);
  EXPECT_EQ(found["closed"], true);
  EXPECT_EQ(found["verdict"], "overflowing");
  EXPECT_EQ(found["owners"].at(0)["pid"], ::getpid());
  EXPECT_GT(found["refused"]["packets"]["at_syn"], 0);
  ASSERT_TRUE(found["timeline"].is_array());
  EXPECT_EQ(found["timeline"].back()["length"], 0) << "closed by then";
  // The recording says the same again.
  const Output again =
      run_program({kProgram, "check", ns.selector(), "--json", "--from", path("night.json")});
  ASSERT_EQ(again.exit_code, 1) << again.err;
  EXPECT_EQ(json::parse(again.out)["listeners"], report["listeners"]);
}

TEST_P(Armed, EndsQuietlyWhereNothingHappens) {
  const TestNetns ns;
  UniqueFd listener;
  ns.run([&] { listener = listen_tcp("0.0.0.0", kPort, kBacklog); });
  const Output checked =
      run_program({kProgram, "check", ns.selector(), "--until-overflow", "--for", "1s", "--json",
                   "--exec", "touch " + path("moment"), "--tracing", GetParam()});
  EXPECT_EQ(checked.exit_code, 0) << checked.err;
  EXPECT_EQ(json::parse(checked.out)["host"]["incident"], nullptr);
  EXPECT_FALSE(std::filesystem::exists(path("moment")));
}

INSTANTIATE_TEST_SUITE_P(, Armed, ::testing::Values("auto", "tracepoints", "none"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace acceptq::test
