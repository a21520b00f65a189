// A port that clients use and on which nothing listens: a packet filter redirects them.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/child.h"
#include "support/netns.h"
#include "support/traffic.h"

namespace acceptq::test {
namespace {

using nlohmann::json;

constexpr const char* kProgram = ACCEPTQ_BINARY_DIR "/acceptq";
// No other listener of this machine has them.
constexpr std::uint16_t kPort = 40911;
constexpr std::uint16_t kClientsPort = 40912;

class RedirectTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!may_unshare()) GTEST_SKIP() << "needs root, to make network namespaces";
    const std::vector<std::vector<std::string>> rules = {
        {"nft", "add", "table", "inet", "f"},
        {"nft", "add", "chain", "inet", "f", "out", "{ type nat hook output priority -100; }"},
        {"nft", "add", "rule", "inet", "f", "out", "tcp", "dport", std::to_string(kClientsPort),
         "redirect", "to", ":" + std::to_string(kPort)}};
    for (const std::vector<std::string>& rule : rules) {
      const Output output = run_program(rule, ns_.fd());
      if (output.exit_code != 0) GTEST_SKIP() << "needs nft and NAT: " << output.err;
    }
    ns_.run([this] { listener_ = listen_tcp(GetParam(), kPort, 128); });
  }

  TestNetns ns_;
  UniqueFd listener_;
};

TEST_P(RedirectTest, ThePortOfTheClientsMeansTheListener) {
  const SteadyClients clients(ns_.fd(), GetParam(), kClientsPort);
  const std::string selector = ":" + std::to_string(kClientsPort);
  const Output output = run_program({kProgram, "check", "--json", "--for", "1s", selector});
  const json report = json::parse(output.out, nullptr, false);
  ASSERT_FALSE(report.is_discarded()) << output.out << output.err;
  ASSERT_EQ(report.at("listeners").size(), 1U) << output.err;
  EXPECT_EQ(report.at("listeners").front().at("port"), kPort);
  EXPECT_NE(output.err.find("connection tracking sends clients of "), std::string::npos)
      << output.err;
  EXPECT_EQ(run_program({kProgram, "explain", selector}).exit_code, 0);
}

INSTANTIATE_TEST_SUITE_P(Families, RedirectTest, testing::Values("127.0.0.1", "::1"),
                         [](const auto& family) {
                           return std::string(family.param) == "::1" ? "IPv6" : "IPv4";
                         });

}  // namespace
}  // namespace acceptq::test
