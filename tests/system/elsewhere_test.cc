// SYNs that this host drops before a listener sees them, and what acceptq says of them.
#include <gtest/gtest.h>
#include <sys/utsname.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "support/child.h"
#include "support/netns.h"
#include "support/traffic.h"
#include "support/tun_clients.h"

namespace acceptq::test {
namespace {

using nlohmann::json;

constexpr const char* kProgram = ACCEPTQ_BINARY_DIR "/acceptq";
constexpr std::uint16_t kPort = 8080;

// The running kernel is from before 5.17, where kfree_skb tells no reason.
bool is_silent_kernel() {
  utsname name{};
  ::uname(&name);
  int major = 0;
  int minor = 0;
  EXPECT_EQ(std::sscanf(static_cast<const char*>(name.release), "%d.%d", &major, &minor), 2);
  return major < 5 || (major == 5 && minor < 17);
}

class ElsewhereTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!may_unshare()) GTEST_SKIP() << "needs root, to make network namespaces";
    ns_.run([this] { listener_ = listen_tcp(GetParam(), kPort, 128); });
  }

  void nft(std::vector<std::string> words) const {
    words.insert(words.begin(), "nft");
    const Output output = run_program(words, ns_.fd());
    ASSERT_EQ(output.exit_code, 0) << output.err;
  }

  // By a packet filter; `hook` as nft writes it.
  void drop_syns_to(int port, const std::string& hook) const {
    nft({"add", "table", "inet", "f"});
    nft({"add", "chain", "inet", "f", "in", "{ type filter hook " + hook + "; }"});
    nft({"add", "rule", "inet", "f", "in", "tcp", "dport", std::to_string(port), "drop"});
  }

  // Skips the test where this kernel does not tell why it drops.
  void check(int exit_code, json& report) const {
    const Output output = run_program({kProgram, "check", "--json", "--for", "2s", ns_.selector()});
    report = json::parse(output.out, nullptr, false);
    ASSERT_FALSE(report.is_discarded()) << output.out << output.err;
    const json& spots = report.at("blind_spots");
    if (report.at("host").at("tracing").is_null()) GTEST_SKIP() << spots;
    const bool says_so =
        std::ranges::any_of(spots, [](const json& spot) { return spot.at("id") == "AQ613"; });
    EXPECT_EQ(says_so, is_silent_kernel()) << spots;
    if (says_so) {
      EXPECT_NE(report.at("verdict"), "dropped_elsewhere");
      GTEST_SKIP() << spots;
    }
    EXPECT_EQ(output.exit_code, exit_code) << output.out;
  }

  TestNetns ns_;
  UniqueFd listener_;
};

TEST_P(ElsewhereTest, APacketFilterIsNoFullQueue) {
  if (run_program({"nft", "--version"}).exit_code != 0) GTEST_SKIP() << "needs nft";
  drop_syns_to(kPort, "input priority 0");
  const SteadyClients clients(ns_.fd(), GetParam(), kPort);
  json report;
  check(1, report);
  if (IsSkipped() || HasFatalFailure()) return;
  EXPECT_EQ(report.at("verdict"), "dropped_elsewhere");
  ASSERT_EQ(report.at("findings").size(), 1U) << report.at("findings").dump(1);
  const json& finding = report.at("findings").front();
  EXPECT_EQ(finding.at("id"), "AQ401");
  EXPECT_EQ(finding.at("evidence").front().at("name"), "drop_reason.NETFILTER_DROP");
  EXPECT_GE(finding.at("evidence").front().at("delta"), 5);
}

// Where nothing may be traced, packets tell as much: no answer, and no refusal.
TEST_P(ElsewhereTest, PacketsShowThatNothingIsAnswered) {
  if (run_program({"nft", "--version"}).exit_code != 0) GTEST_SKIP() << "needs nft";
  drop_syns_to(kPort, "input priority 0");
  const SteadyClients clients(ns_.fd(), GetParam(), kPort);
  const Output output =
      run_program({kProgram, "check", "--json", "--packets", "--for", "2s", ns_.selector()});
  EXPECT_EQ(output.exit_code, 1) << output.err;
  const json report = json::parse(output.out, nullptr, false);
  ASSERT_FALSE(report.is_discarded()) << output.out << output.err;
  EXPECT_EQ(report.at("verdict"), "dropped_elsewhere");
  ASSERT_EQ(report.at("findings").size(), 1U) << report.at("findings").dump(1);
  EXPECT_EQ(report.at("findings").front().at("id"), "AQ401");
  EXPECT_LT(report.at("findings").front().at("confidence"), 1.0);
}

// A filter that drops before the kernel has looked for a route.
TEST_P(ElsewhereTest, DroppedBeforeRouting) {
  if (run_program({"nft", "--version"}).exit_code != 0) GTEST_SKIP() << "needs nft";
  drop_syns_to(kPort, "prerouting priority -300");
  const SteadyClients clients(ns_.fd(), GetParam(), kPort);
  json report;
  check(1, report);
  if (IsSkipped() || HasFatalFailure()) return;
  EXPECT_EQ(report.at("verdict"), "dropped_elsewhere");
}

// It lets SYNs through and drops what comes behind them: no queue is full, and nobody gets through.
TEST_P(ElsewhereTest, AFilterOfTheThirdPackets) {
  if (run_program({"nft", "--version"}).exit_code != 0) GTEST_SKIP() << "needs nft";
  nft({"add", "table", "inet", "f"});
  nft({"add", "chain", "inet", "f", "in", "{ type filter hook input priority 0; }"});
  nft({"add", "rule", "inet", "f", "in", "tcp", "dport", std::to_string(kPort), "tcp", "flags", "&",
       "(syn|ack)", "==", "ack", "drop"});
  // Room for all of them; the first have waited for over a second when the watch begins.
  listener_ = UniqueFd();
  ns_.run([this] { listener_ = listen_tcp(GetParam(), kPort, 4000); });
  const SteadyClients clients(ns_.fd(), GetParam(), kPort);
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  json report;
  check(1, report);
  if (IsSkipped() || HasFatalFailure()) return;
  EXPECT_EQ(report.at("verdict"), "failing");
  ASSERT_EQ(report.at("findings").size(), 1U) << report.at("findings").dump(1);
  const json& finding = report.at("findings").front();
  EXPECT_EQ(finding.at("id"), "AQ405");
  EXPECT_EQ(finding.at("evidence").front().at("name"), "drop_reason.NETFILTER_DROP");
  EXPECT_GE(finding.at("evidence").front().at("delta"), 5);
}

// Clients of a port where nothing listens get a RST: nothing is wrong with the listener.
TEST_P(ElsewhereTest, AClosedPortIsNoAlarm) {
  const SteadyClients clients(ns_.fd(), GetParam(), kPort + 1);
  json report;
  check(0, report);
  if (IsSkipped() || HasFatalFailure()) return;
  EXPECT_EQ(report.at("verdict"), "healthy");
  EXPECT_TRUE(report.at("findings").empty()) << report.at("findings").dump(1);
}

// A port where nothing listens, but that is silent: no finding, and a line of the trace's summary.
TEST_P(ElsewhereTest, TheTraceCountsSilenceAtAClosedPort) {
  if (run_program({"nft", "--version"}).exit_code != 0) GTEST_SKIP() << "needs nft";
  drop_syns_to(kPort + 1, "input priority 0");
  const SteadyClients clients(ns_.fd(), GetParam(), kPort + 1);
  const Output output =
      run_program({kProgram, "trace", "--json", "--summary", "--for", "2s", ns_.selector()});
  if (output.exit_code == 3) GTEST_SKIP() << output.err;
  ASSERT_EQ(output.exit_code, 0) << output.err;
  const json summary = json::parse(output.out, nullptr, false);
  ASSERT_FALSE(summary.is_discarded()) << output.out;
  if (summary.at("dead_syns").is_null()) GTEST_SKIP() << "this kernel does not tell";
  ASSERT_EQ(summary.at("dead_syns").size(), 1U) << summary.at("dead_syns").dump(1);
  const json& dead = summary.at("dead_syns").front();
  EXPECT_EQ(dead.at("port"), kPort + 1);
  EXPECT_EQ(dead.at("address"), GetParam());
  EXPECT_EQ(dead.at("reason"), "NETFILTER_DROP");
  EXPECT_GE(dead.at("packets"), 5);
}

// A client that SYNs come from, and that no answer can be sent to: the way back is looked up.
TEST_P(ElsewhereTest, TheRouteBackIsLookedUp) {
  if (!has_tun()) GTEST_SKIP() << "needs /dev/net/tun";
  const bool v6 = std::string(GetParam()) == "::1";
  const std::string clients_net = v6 ? "fd09::/64" : "10.9.0.0/16";
  for (const char* type : {"unreachable", "blackhole", "prohibit", "none"}) {
    SCOPED_TRACE(type);
    const TestNetns ns;
    // With it, such SYNs die before the listener.
    for (const char* device : {"all", "default"}) {
      ns.set("net/ipv4/conf/" + std::string(device) + "/rp_filter", "0");
    }
    UniqueFd listener;
    ns.run([&] { listener = listen_tcp(v6 ? "::" : "0.0.0.0", kPort, 128); });
    TunClients clients(ns, kPort, v6 ? IpVersion::kV6 : IpVersion::kV4);
    const bool none = type == std::string("none");
    std::vector<std::string> ip = {"ip", "route", "add", type, clients_net};
    if (none) ip = {"ip", "route", "del", v6 ? "fd00::/8" : "10.0.0.0/8", "dev", "acqtun"};
    if (v6) ip.insert(ip.begin() + 1, "-6");
    const Output routed = run_program(ip, ns.fd());
    ASSERT_EQ(routed.exit_code, 0) << routed.err;
    Output output;
    {
      const std::jthread sender([&clients](const std::stop_token& stop) {
        TunClient& client = clients.connect();
        while (!stop.stop_requested()) {
          clients.repeat_syn(client);
          std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
      });
      output = run_program({kProgram, "check", "--json", "--for", "2s", ns.selector()});
    }
    const json report = json::parse(output.out, nullptr, false);
    ASSERT_FALSE(report.is_discarded()) << output.out << output.err;
    EXPECT_EQ(report.at("verdict"), "dropped_elsewhere");
    if (report.at("host").at("tracing").is_null()) GTEST_SKIP() << "this kernel may not be traced";
    const json& finding = report.at("findings").front();
    EXPECT_EQ(finding.at("id"), "AQ107");
    std::string what = none ? "no route" : "\"" + std::string(type) + "\" route";
    what += " back to ";
    what += v6 ? "fd09::1." : "10.9.0.1.";
    EXPECT_NE(std::string(finding.at("explanation")).find(what), std::string::npos)
        << finding.at("explanation");
    EXPECT_FALSE(finding.at("remedies").empty());
    const json& top = report.at("listeners").front().at("refused").at("top");
    EXPECT_EQ(top.front().at("route"), type) << top.dump();
  }
}

INSTANTIATE_TEST_SUITE_P(, ElsewhereTest, testing::Values("127.0.0.1", "::1"),
                         [](const auto& test) {
                           return std::string(test.param) == "::1" ? "v6" : "v4";
                         });

}  // namespace
}  // namespace acceptq::test
