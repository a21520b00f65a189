// Signals that end a watch: what was seen so far is reported and saved.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "support/child.h"
#include "support/netns.h"
#include "support/traffic.h"

namespace acceptq::test {
namespace {

using nlohmann::json;

constexpr const char* kProgram = ACCEPTQ_BINARY_DIR "/acceptq";
constexpr const char* kCutShort = "AQ607";

class InterruptTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!may_unshare()) GTEST_SKIP() << "needs root, to make a network namespace";
    ns_.run([this] { listener_ = listen_tcp("127.0.0.1", 8080, 5); });
    ASSERT_NE(::mkdtemp(dir_.data()), nullptr);
  }
  void TearDown() override { EXPECT_EQ(run_program({"rm", "-rf", dir_}).exit_code, 0); }

  // Starts a check by `prefix`, sends it the signal once it catches SIGTERM (its handlers stand
  // then), and waits for its end.
  [[nodiscard]] Output signalled(const std::string& prefix, const std::string& signal,
                                 const std::string& seconds) const {
    // SigCgt has bit 14 for SIGTERM.
    const std::string script =
        prefix + " " + kProgram + " check --json --tracing none --save " + recording() + " --for " +
        seconds + " " + ns_.selector() +
        " & p=$!\n"
        "while ! grep -q '^SigCgt:.*[4567cdef]...$' /proc/$p/status; do sleep 0.05; done\n"
        "sleep 0.5; kill -" +
        signal + " $p; wait $p";
    return run_program({"timeout", "-s", "KILL", "60", "sh", "-c", script});
  }
  [[nodiscard]] std::string recording() const { return dir_ + "/recording.json"; }

  static bool is_cut_short(const Output& output) {
    const json report = json::parse(output.out, nullptr, false);
    EXPECT_FALSE(report.is_discarded()) << output.out << output.err;
    if (report.is_discarded()) return false;
    EXPECT_EQ(report.at("listeners").size(), 1U);
    for (const json& spot : report.at("blind_spots")) {
      if (spot.at("id") == kCutShort) return true;
    }
    return false;
  }

  TestNetns ns_;
  UniqueFd listener_;
  std::string dir_ = "/tmp/acceptq-interrupt-XXXXXX";
};

TEST_F(InterruptTest, EndsInGoodOrderAndSavesWhatWasSeen) {
  for (const char* signal : {"HUP", "TERM"}) {
    SCOPED_TRACE(signal);
    const Output output = signalled("", signal, "600s");
    EXPECT_EQ(output.exit_code, 0) << output.err;
    EXPECT_TRUE(is_cut_short(output)) << output.out;
    const Output again =
        run_program({kProgram, "check", "--json", "--from", recording(), ns_.selector()});
    EXPECT_EQ(again.exit_code, 0) << again.err;
    EXPECT_TRUE(is_cut_short(again)) << again.out;
  }
}

// As whoever started it wanted.
TEST_F(InterruptTest, AnIgnoredHangupStaysIgnored) {
  const Output output = signalled("nohup", "HUP", "2s");
  EXPECT_EQ(output.exit_code, 0) << output.err;
  EXPECT_FALSE(is_cut_short(output)) << output.out;
}

}  // namespace
}  // namespace acceptq::test
