// `acceptq trace` on the running kernel, from outside.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "support/child.h"
#include "support/netns.h"
#include "support/require.h"
#include "support/traffic.h"
#include "support/tun_clients.h"

namespace acceptq::test {
namespace {

using nlohmann::json;

constexpr const char* kProgram = ACCEPTQ_BINARY_DIR "/acceptq";
constexpr std::uint16_t kPort = 8080;
constexpr int kBacklog = 2;

TEST(Trace, ShowsWhoWasRefusedByWhomAndWhy) {
  if (!may_unshare()) GTEST_SKIP() << "needs root, to make a network namespace";
  if (!has_tun()) GTEST_SKIP() << "needs /dev/net/tun";
  const TestNetns ns;
  UniqueFd listener;
  ns.run([&] { listener = listen_tcp("0.0.0.0", kPort, kBacklog); });
  TunClients clients(ns, kPort);
  for (int i = 0; i <= kBacklog; ++i) {
    TunClient& client = clients.connect();
    clients.receive();
    clients.send_ack(client);
  }
  Output traced;
  std::atomic<bool> ended = false;
  std::thread program([&] {
    traced =
        run_program({kProgram, "trace", ns.selector(), "--json", "--count", "5", "--for", "60s"});
    ended = true;
  });
  // How long the hooks take to come into place is not known: refused clients until it has enough.
  while (!ended) {
    clients.connect();
    clients.receive(std::chrono::milliseconds(100));
  }
  program.join();
  if (traced.exit_code == 3) GTEST_SKIP() << traced.err;
  ASSERT_EQ(traced.exit_code, 0) << traced.err;
  std::vector<json> lines;
  std::istringstream text(traced.out);
  for (std::string line; std::getline(text, line);) lines.push_back(json::parse(line));
  ASSERT_EQ(lines.size(), 6U) << traced.out;
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(lines[i]["event"], "refused");
    EXPECT_TRUE(std::string(lines[i]["client"]).starts_with("10.9.0.")) << lines[i];
    EXPECT_EQ(lines[i]["address"], "10.8.0.1");
    EXPECT_EQ(lines[i]["stage"], "syn");
    EXPECT_EQ(lines[i]["reason"], "accept queue full");
    EXPECT_EQ(lines[i]["accept_queue"]["length"], kBacklog + 1);
    EXPECT_EQ(lines[i]["accept_queue"]["limit"], kBacklog);
    EXPECT_EQ(lines[i]["netns"], ns.id().value());
    ASSERT_EQ(lines[i]["owners"].size(), 1U);
    EXPECT_EQ(lines[i]["owners"][0]["pid"], ::getpid());
  }
  EXPECT_EQ(lines[5]["event"], "summary");
  EXPECT_EQ(lines[5]["ledgers"][0]["listener"], lines[0]["listener"]);
  EXPECT_GE(lines[5]["ledgers"][0]["counts"]["attempts_refused"], 5);
}

// Holds what the test holds.
void do_nothing() {
  while (true) ::pause();
}

// The socket stays, and the process that holds it changes.
TEST(Trace, NamesWhoHoldsTheSocketNow) {
  if (!may_unshare()) GTEST_SKIP() << "needs root, to make a network namespace";
  if (!has_tun()) GTEST_SKIP() << "needs /dev/net/tun";
  const TestNetns ns;
  UniqueFd listener;
  ns.run([&] { listener = listen_tcp("0.0.0.0", kPort, kBacklog); });
  Forked first(do_nothing);
  const Forked second(do_nothing);
  listener.reset();
  TunClients clients(ns, kPort);
  for (int i = 0; i <= kBacklog; ++i) {
    TunClient& client = clients.connect();
    clients.receive();
    clients.send_ack(client);
  }
  std::string dir = "/tmp/acceptq-trace-XXXXXX";
  ASSERT_NE(::mkdtemp(dir.data()), nullptr);
  const std::string lines = dir + "/lines";
  const Background program({"sh", "-c",
                            "exec " + std::string(kProgram) + " trace --json --for 120s " +
                                ns.selector() + " >" + lines + " 2>" + dir + "/errors"});
  // The owners that the last `count` refusals name, a new one each 50 ms; none: too few lines.
  const auto owners_of_last = [&](std::size_t count) {
    clients.connect();
    clients.receive();
    std::vector<std::vector<int>> owners;
    std::ifstream text(lines);
    for (std::string line; std::getline(text, line);) {
      const json refusal = json::parse(line, nullptr, false);
      if (refusal.is_discarded() || refusal.at("event") != "refused") continue;
      owners.emplace_back();
      for (const json& owner : refusal.at("owners")) owners.back().push_back(owner.at("pid"));
    }
    if (owners.size() < count) return std::vector<std::vector<int>>();
    return std::vector(owners.end() - static_cast<std::ptrdiff_t>(count), owners.end());
  };
  const auto all_are = [](const std::vector<std::vector<int>>& owners, std::vector<int> wanted) {
    std::ranges::sort(wanted);
    return !owners.empty() && std::ranges::count(owners, wanted) == std::ssize(owners);
  };
  const std::vector<int> both = {first.pid(), second.pid()};
  const bool is_traced = eventually([&] { return all_are(owners_of_last(1), both); }, 60);
  if (!is_traced) {
    std::string error;
    std::getline(std::ifstream(dir + "/errors"), error);
    EXPECT_EQ(run_program({"rm", "-rf", dir}).exit_code, 0);
    ASSERT_FALSE(error.empty()) << "no refusal names both";
    GTEST_SKIP() << error;
  }
  first.end();
  EXPECT_TRUE(eventually([&] { return all_are(owners_of_last(3), {second.pid()}); }, 60));
  EXPECT_EQ(run_program({"rm", "-rf", dir}).exit_code, 0);
}

// The same ledger is part of a check.
TEST(Check, TellsRefusedAttemptsByStepAndClient) {
  if (!may_unshare()) GTEST_SKIP() << "needs root, to make a network namespace";
  if (!has_tun()) GTEST_SKIP() << "needs /dev/net/tun";
  const TestNetns ns;
  UniqueFd listener;
  ns.run([&] { listener = listen_tcp("0.0.0.0", kPort, kBacklog); });
  TunClients clients(ns, kPort);
  for (int i = 0; i <= kBacklog; ++i) {
    TunClient& client = clients.connect();
    clients.receive();
    clients.send_ack(client);
  }
  Output checked;
  std::atomic<bool> ended = false;
  std::thread program([&] {
    checked = run_program({kProgram, "check", ns.selector(), "--json", "--for", "3s"});
    ended = true;
  });
  while (!ended) {
    clients.connect();
    clients.receive(std::chrono::milliseconds(50));
  }
  program.join();
  ASSERT_EQ(checked.exit_code, 1) << checked.err;
  const json report = json::parse(checked.out);
  const json& tracing = report["host"]["tracing"];
  if (tracing.is_null()) GTEST_SKIP() << report["blind_spots"];
  const json& listener_report = report["listeners"].at(0);
  EXPECT_EQ(listener_report["verdict"], "overflowing");
  const json& refused = listener_report["refused"];
  EXPECT_EQ(refused["source"], tracing);
  EXPECT_GT(refused["packets"]["at_syn"], 0);
  EXPECT_EQ(refused["packets"]["at_ack"], 0);
  EXPECT_EQ(refused["packets"]["total"], refused["packets"]["at_syn"]);
  EXPECT_EQ(refused["attempts"], refused["packets"]["total"]) << "nobody tried twice";
  // Each client has its own address; both are read while more clients come.
  EXPECT_NEAR(double{refused["addresses"]}, double{refused["attempts"]}, 5);
  EXPECT_TRUE(std::string(refused["top"].at(0)["address"]).starts_with("10.9.0.")) << refused;
  EXPECT_EQ(listener_report["accept_queue"]["longest"], kBacklog + 1);
}

// By packets on the interface, with no tracing at all: SYNs without an answer, and final ACKs after
// which the SYN-ACK comes again.
TEST(Check, TellsRefusedAttemptsByTheirPackets) {
  if (!may_unshare()) GTEST_SKIP() << "needs root, to make a network namespace";
  if (!has_tun()) GTEST_SKIP() << "needs /dev/net/tun";
  const TestNetns ns;
  UniqueFd listener;
  ns.run([&] { listener = listen_tcp("0.0.0.0", kPort, kBacklog); });
  TunClients clients(ns, kPort);
  Output checked;
  std::atomic<bool> ended = false;
  std::thread program([&] {
    checked = run_program({kProgram, "check", ns.selector(), "--json", "--for", "6s", "--packets"});
    ended = true;
  });
  // How long its first scan takes is not known; what comes before it looks is not counted.
  const auto is_looking = [&ns] {
    std::size_t lines = 0;
    ns.run([&lines] {
      std::ifstream sockets("/proc/thread-self/net/packet");
      for (std::string line; std::getline(sockets, line);) ++lines;
    });
    return lines > 1;  // below the heading
  };
  EXPECT_TRUE(eventually(is_looking, 60));
  // Two at once, so that no SYN queue overflows: a cookie's final ACK that is refused leaves no
  // trace.
  for (int i = 0; i < kBacklog; ++i) {
    const std::vector<TunClient*> made = clients.connect_many(2);
    clients.receive();
    for (TunClient* client : made) clients.send_ack(*client);
  }
  clients.receive();
  // The last of them was refused at its final ACK. Then the queue is full, and SYNs get no answer.
  while (!ended) {
    clients.connect();
    clients.receive(std::chrono::milliseconds(100));
  }
  program.join();
  ASSERT_EQ(checked.exit_code, 1) << checked.err;
  const json report = json::parse(checked.out);
  EXPECT_EQ(report["host"]["tracing"], "packets");
  const json& listener_report = report["listeners"].at(0);
  EXPECT_EQ(listener_report["verdict"], "overflowing");
  const json& refused = listener_report["refused"];
  EXPECT_EQ(refused["source"], "packets");
  EXPECT_GT(refused["packets"]["at_syn"], 5) << refused;
  EXPECT_GT(refused["packets"]["at_ack"], 0) << refused;
  EXPECT_EQ(refused["at_least"], true);
  // The kernel counted each of them, but one perhaps that was under way when counters were read;
  // then nothing is said of attempts.
  EXPECT_LE(listener_report["syn_unanswered"], 1);
  if (listener_report["syn_unanswered"] != 0) return;
  EXPECT_TRUE(std::string(refused["top"].at(0)["address"]).starts_with("10.9.0.")) << refused;
}

TEST(Trace, NamesASelectorThatMatchesNothing) {
  if (!may_unshare()) GTEST_SKIP() << "needs root";
  const Output traced = run_program({kProgram, "trace", "comm:no-such-program", "--for", "1s"});
  EXPECT_EQ(traced.exit_code, 3);
  EXPECT_NE(traced.err.find("no listener matches \"comm:no-such-program\""), std::string::npos);
}

}  // namespace
}  // namespace acceptq::test
