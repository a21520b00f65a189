// acceptq inside namespaces that hide the host, as containers have them.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/child.h"
#include "support/netns.h"
#include "support/require.h"
#include "support/traffic.h"

namespace acceptq::test {
namespace {

using nlohmann::json;

// A PID namespace of its own, and a /proc of that: what a container without the host's has.
const std::vector<std::string> kContainer = {"unshare", "-pf", "--kill-child", "--mount-proc"};

class ContainerTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!may_unshare()) GTEST_SKIP() << "needs root, to make namespaces";
  }
};

struct Check {
  int exit_code = -1;
  json report;
};

Output acceptq(std::vector<std::string> argv, const std::vector<std::string>& arguments,
               const TestNetns& ns) {
  argv.emplace_back(ACCEPTQ_BINARY_DIR "/acceptq");
  argv.emplace_back("check");
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return run_program(argv, ns.fd());
}

Check check(const std::vector<std::string>& inside, std::vector<std::string> arguments,
            const TestNetns& ns) {
  arguments.insert(arguments.end(), {"--json", "--for", "0s"});
  const Output output = acceptq(inside, arguments, ns);
  Check result{.exit_code = output.exit_code, .report = json::parse(output.out, nullptr, false)};
  EXPECT_FALSE(result.report.is_discarded()) << output.out << output.err;
  return result;
}

bool hides_host(const json& report) {
  for (const json& spot : report.at("blind_spots")) {
    if (spot.at("id") == "AQ602" && spot.at("scope") == "host") return true;
  }
  return false;
}

// Whether one of the namespaces is called the host's.
bool names_a_host(const json& report) {
  for (const json& ns : report.at("namespaces")) {
    if (ns.at("is_host") == true) return true;
  }
  return false;
}

TEST_F(ContainerTest, WhatIsOutsideIsABlindSpotAndASelectionIsNot) {
  const TestNetns ns;
  UniqueFd listener;
  ns.run([&] { listener = listen_tcp("127.0.0.1", 8080, 5); });
  const Check all = check(kContainer, {}, ns);
  EXPECT_EQ(all.exit_code, 3) << all.report.dump(1);
  EXPECT_TRUE(hides_host(all.report));
  EXPECT_FALSE(names_a_host(all.report));
  const Check one = check(kContainer, {":8080"}, ns);
  EXPECT_EQ(one.exit_code, 0) << one.report.dump(1);
}

TEST_F(ContainerTest, ItsNamespaceIsNotTheHosts) {
  const TestNetns ns;
  UniqueFd listener;
  std::vector<UniqueFd> clients;
  ns.set("net/core/somaxconn", "4");
  ns.run([&] {
    listener = listen_tcp("127.0.0.1", 8080, 64);
    clients = connect_many("127.0.0.1", 8080, 6);
  });
  const Check full = check(kContainer, {":8080"}, ns);
  EXPECT_EQ(full.exit_code, 1);
  EXPECT_EQ(full.report.dump().find("sysctl.d"), std::string::npos) << full.report.dump(1);
  const Output text = acceptq(kContainer, {":8080", "--for", "0s"}, ns);
  EXPECT_NE(text.out.find("this container's"), std::string::npos) << text.out;
  EXPECT_EQ(text.out.find("in the host's network namespace"), std::string::npos) << text.out;
}

// Root in a user namespace sees /proc of the host, but may read next to nothing of it.
TEST_F(ContainerTest, AUserNamespacesOwnIsNotTheHosts) {
  if (!may_make_user_namespaces()) GTEST_SKIP() << "no user namespaces here";
  const TestNetns ns;
  const Check all = check({"unshare", "-Urn"}, {}, ns);
  EXPECT_EQ(all.exit_code, 3) << all.report.dump(1);
  EXPECT_FALSE(names_a_host(all.report));
}

TEST_F(ContainerTest, TheHostKnowsItself) {
  if (!sees_all_processes()) GTEST_SKIP() << "this is a PID namespace of its own";
  const TestNetns ns;
  const Check all = check({}, {}, ns);
  EXPECT_TRUE(names_a_host(all.report)) << all.report.at("namespaces").dump(1);
  EXPECT_FALSE(hides_host(all.report));
}

}  // namespace
}  // namespace acceptq::test
