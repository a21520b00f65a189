// What acceptq sees and says of what it cannot see: as nobody, amid processes that come and go, and
// by either way of scanning.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "support/child.h"
#include "support/fleet.h"
#include "support/netns.h"
#include "support/require.h"
#include "support/traffic.h"

namespace acceptq::test {
namespace {

using nlohmann::json;

constexpr const char* kProgram = ACCEPTQ_BINARY_DIR "/acceptq";
constexpr uid_t kNobody = 65534;

class ViewTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!may_unshare()) GTEST_SKIP() << "needs root, to make network namespaces";
  }
};

json report_of(const Output& output) {
  json report = json::parse(output.out, nullptr, false);
  EXPECT_FALSE(report.is_discarded()) << output.out << output.err;
  return report;
}

bool has_blind_spot(const json& report, const std::string& id) {
  for (const json& spot : report.at("blind_spots")) {
    if (spot.at("id") == id) return true;
  }
  return false;
}

bool has_serious_finding(const json& report) {
  return std::ranges::any_of(report.at("findings"),
                             [](const json& each) { return each.at("severity") != "notice"; });
}

const json* listener_on(const json& report, const TestNetns& ns, int port) {
  for (const json& listener : report.at("listeners")) {
    if (listener.at("port") == port && listener.at("netns") == ns.id().value()) return &listener;
  }
  return nullptr;
}

TEST_F(ViewTest, NobodySeesItsOwnNamespaceAndSaysWhatItDoesNot) {
  const TestNetns ns;
  UniqueFd listener;
  ns.run([&] { listener = listen_tcp("127.0.0.1", 8080, 5); });
  const Output output =
      run_program({kProgram, "check", "--json", "--for", "200ms"}, ns.fd(), kNobody);
  const json report = report_of(output);
  // Nothing of ours is wrong; a listener of this host may be.
  EXPECT_EQ(output.exit_code, has_serious_finding(report) ? 1 : 3) << output.err;
  EXPECT_TRUE(has_blind_spot(report, "AQ602")) << report.at("blind_spots").dump(1);
  EXPECT_TRUE(has_blind_spot(report, "AQ605")) << report.at("blind_spots").dump(1);
  const json* found = listener_on(report, ns, 8080);
  ASSERT_NE(found, nullptr) << report.dump(1);
  EXPECT_EQ(found->at("accept_queue").at("limit"), 5);
  EXPECT_EQ(found->at("owners_complete"), false);
}

const json* blind_spot(const json& report, const std::string& id, const std::string& scope) {
  for (const json& spot : report.at("blind_spots")) {
    if (spot.at("id") == id && spot.at("scope") == scope) return &spot;
  }
  return nullptr;
}

// Root without CAP_SYS_PTRACE may not read the namespaces of root's other processes.
std::vector<std::string> without_ptrace(const std::string& command) {
  return {"unshare", "-m", "sh", "-c",
          command + " exec setpriv --bounding-set -sys_ptrace --inh-caps -sys_ptrace " + kProgram +
              " check --json --for 200ms"};
}

// What the iterator shows is not said to be unseen, and a process that may not be looked at is not
// taken for none.
TEST_F(ViewTest, WhatMayNotBeEnteredIsNotAllUnseen) {
  if (!sees_all_processes()) GTEST_SKIP() << "this is a PID namespace of its own";
  const TestNetns ns;
  UniqueFd listener;
  ns.run([&] { listener = listen_tcp("127.0.0.1", 8080, 5); });
  const Background inside({"sleep", "60"}, ns.fd());
  const json report = report_of(run_program(without_ptrace("")));
  if (report.at("host").at("scan") != "iterator") GTEST_SKIP() << "needs the iterator";
  EXPECT_NE(listener_on(report, ns, 8080), nullptr);
  const std::string scope = "netns:" + std::to_string(ns.id().value());
  EXPECT_EQ(blind_spot(report, "AQ609", scope), nullptr) << report.at("blind_spots").dump(1);
  const json* hidden = blind_spot(report, "AQ602", "host");
  ASSERT_NE(hidden, nullptr) << report.at("blind_spots").dump(1);
  EXPECT_NE(hidden->at("cost").get<std::string>().find("counters"), std::string::npos) << *hidden;
}

// A mount leads to where a process lives that may not be looked at: nothing of it is unseen.
TEST_F(ViewTest, AMountShowsWhatAProcessDoesNot) {
  const std::string target = testing::TempDir() + "/acceptq-mount-" + std::to_string(::getpid());
  json report;
  const auto some_reason_says = [&](const char* words) {
    return std::ranges::any_of(report.at("blind_spots"), [&](const json& spot) {
      return spot.at("reason").get<std::string>().find(words) != std::string::npos;
    });
  };
  const auto hides_a_namespace = [&](const std::string& mount) {
    // In a PID namespace, to which the processes of other tests do not belong.
    std::vector<std::string> argv = without_ptrace(
        "unshare -n sleep 60 & until grep -q sleep /proc/$!/comm; do sleep 0.1; done; " + mount);
    argv.insert(argv.begin() + 2, {"-p", "-f", "--kill-child", "--mount-proc"});
    report = report_of(run_program(argv));
    return some_reason_says("may not be entered");
  };
  EXPECT_TRUE(hides_a_namespace(""));
  const bool hides =
      hides_a_namespace("touch " + target + " && mount --bind /proc/$!/ns/net " + target + ";");
  ::unlink(target.c_str());
  // As in guests: a mount on a path whose file system would ask its server is not followed.
  if (some_reason_says("Resource temporarily unavailable")) GTEST_SKIP() << "no local root";
  EXPECT_FALSE(hides);
}

// Both ways of scanning give the same facts of the same sockets.
TEST_F(ViewTest, IteratorAndNetlinkAgree) {
  if (run_program({kProgram, "check", "--for", "1ms", "--scan", "iterator"}).exit_code == 3 &&
      !run_program({kProgram, "check", "--for", "1ms", "--scan", "iterator"}).err.empty()) {
    GTEST_SKIP() << "this kernel loads no BPF iterator";
  }
  const TestNetns ns;
  std::vector<UniqueFd> kept;
  bool with_mptcp = false;
  ns.run([&] {
    kept.push_back(listen_tcp("127.0.0.1", 8080, 5));
    kept.push_back(listen_tcp("::1", 8081, 70000));
    kept.push_back(listen_tcp("::", 8082, 0));
    UniqueFd bound(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::setsockopt(bound.get(), SOL_SOCKET, SO_BINDTODEVICE, "lo", 2), 0);
    ASSERT_EQ(::listen(bound.get(), 3), 0);
    kept.push_back(std::move(bound));
    kept.push_back(listen_unix("/tmp/acceptq-view-" + std::to_string(::getpid()), 9));
    for (UniqueFd& client : connect_many("127.0.0.1", 8080, 3)) kept.push_back(std::move(client));
    // As Go's net package listens by default.
    UniqueFd multipath(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP));
    if (multipath.valid() && ::listen(multipath.get(), 11) == 0) {
      kept.push_back(std::move(multipath));
      with_mptcp = true;
    }
  });
  const auto run = [&](const char* scan) {
    json report = report_of(run_program(
        {kProgram, "check", "--json", "--for", "100ms", "--scan", scan, ns.selector()}));
    json facts = json::object();
    for (json& listener : report.at("listeners")) {
      // sock_diag shows neither the SYN queue nor who waits; owners_complete depends on /proc.
      listener.erase("syn_queue");
      listener.at("accept_queue").erase("hung_up");
      // Null where a busy machine left no time for a sample.
      listener.at("accept_queue").erase("full_fraction");
      listener.erase("owners_complete");
      const std::string key = listener.at("key");
      facts[key] = std::move(listener);
    }
    return facts;
  };
  const json by_iterator = run("iterator");
  const json by_netlink = run("netlink");
  ::unlink(("/tmp/acceptq-view-" + std::to_string(::getpid())).c_str());
  EXPECT_EQ(by_iterator.size(), with_mptcp ? 6U : 5U);
  EXPECT_EQ(std::ranges::count_if(by_netlink, [](const json& each) { return each.at("mptcp"); }),
            with_mptcp ? 1 : 0);
  EXPECT_EQ(
      std::ranges::count_if(by_netlink, [](const json& each) { return each.at("device") == "lo"; }),
      1);
  EXPECT_EQ(by_iterator, by_netlink) << json::diff(by_netlink, by_iterator).dump(1);
}

// Servers that start and end as fast as they can, in namespaces of their own, while acceptq scans.
TEST_F(ViewTest, OutlivesProcessesAndNamespacesThatVanish) {
  const TestNetns ns;
  UniqueFd listener;
  ns.run([&] { listener = listen_tcp("127.0.0.1", 8080, 5); });
  const pid_t churn = ::fork();
  if (churn == 0) {
    ::setpgid(0, 0);
    for (int i = 0; i < 2000; ++i) {
      const Fleet fleet(2, 3);
    }
    ::_exit(0);
  }
  ::setpgid(churn, churn);
  // How long a scan takes beside them is not known, and a refused SYN is repeated ever more rarely.
  const SteadyClients trying(ns.fd(), "127.0.0.1", 8080);
  EXPECT_TRUE(eventually([&] { return waiting_connections(listener) == 6; }));
  for (const char* scan : {"auto", "netlink"}) {
    const Output output = run_program({kProgram, "check", "--json", "--for", "3s", "--scan", scan});
    const json report = report_of(output);
    EXPECT_EQ(output.exit_code, 1) << scan << output.err;
    const json* found = listener_on(report, ns, 8080);
    EXPECT_NE(found, nullptr) << scan;
    if (found == nullptr) continue;
    EXPECT_EQ(found->at("verdict"), "overflowing") << scan;
    EXPECT_EQ(found->at("accept_queue").at("length"), 6) << scan;
  }
  ::kill(-churn, SIGKILL);
  ::waitpid(churn, nullptr, 0);
}

TEST_F(ViewTest, FindsListenersInEveryNamespace) {
  const Fleet fleet(20, 5);
  for (const char* scan : {"auto", "netlink"}) {
    const Output output =
        run_program({kProgram, "check", "--json", "--for", "100ms", "--scan", scan});
    const json report = report_of(output);
    std::set<int> owners;
    std::size_t listeners = 0;
    for (const json& listener : report.at("listeners")) {
      for (const json& owner : listener.at("owners")) {
        const int pid = owner.at("pid");
        if (std::ranges::find(fleet.pids(), pid) == fleet.pids().end()) continue;
        owners.insert(pid);
        ++listeners;
      }
    }
    EXPECT_EQ(owners.size(), 20U) << scan;
    EXPECT_EQ(listeners, 100U) << scan;
  }
}

}  // namespace
}  // namespace acceptq::test
