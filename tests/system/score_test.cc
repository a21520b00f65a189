// A third of the labelled scenarios, most causes once, with what becomes of the answers without
// each kind of evidence. `make test-full` runs all.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/child.h"
#include "support/netns.h"

namespace acceptq::test {
namespace {

constexpr const char* kProgram = ACCEPTQ_BINARY_DIR "/acceptq";

TEST(Score, NoAnswerIsWrong) {
  if (!may_unshare()) GTEST_SKIP() << "needs root, to make network namespaces";
  const std::vector<std::string> scenarios = {"asyncio-dns",
                                              "asyncio-fd-limit",
                                              "burst-nginx",
                                              "cpp-epoll-logger",
                                              "cpp-pool",
                                              "flood-redis",
                                              "fuse-open-nginx",
                                              "healthy-burst",
                                              "healthy-load",
                                              "lighttpd-cap",
                                              "memcached-stopped",
                                              "node-log-pipe",
                                              "php-fpm-session",
                                              "redis-debug-sleep",
                                              "redis-lua",
                                              "reuseport-stuck",
                                              "silent-clients",
                                              "starved-redis",
                                              "throttled-pod",
                                              "tls-handshake",
                                              "uwsgi-flock",
                                              "uwsgi-two-causes",
                                              "healthy-slow-upstream"};
  std::vector<std::string> command = {kProgram, "lab", "score", "--json", "--ablate"};
  command.insert(command.end(), scenarios.begin(), scenarios.end());
  const Output output = run_program(command);
  const auto score = nlohmann::json::parse(output.out, nullptr, false);
  ASSERT_TRUE(score.is_object()) << output.out << output.err;
  EXPECT_EQ(score["scenarios"].size(), scenarios.size());
  const auto& totals = score["totals"];
  EXPECT_EQ(totals["wrong"], 0) << output.out;
  EXPECT_EQ(totals["ablated_wrong"], 0) << output.out;
  EXPECT_EQ(totals["failed"], 0) << output.out;
  // A machine that has much else to do sees less; one in ten may be unknown.
  EXPECT_GE(totals["right"].get<int>(), 9 * totals["unknown"].get<int>()) << output.out;
}

}  // namespace
}  // namespace acceptq::test
