// Who holds a listener and who is told to change something: real processes that inherited, share or
// run a server in an interpreter.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/child.h"
#include "support/netns.h"
#include "support/traffic.h"

namespace acceptq::test {
namespace {

using nlohmann::json;

class HoldersTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!may_unshare()) GTEST_SKIP() << "needs root, to make a network namespace";
  }
};

Output check(const TestNetns& ns, const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = {ACCEPTQ_BINARY_DIR "/acceptq", "check", ns.selector()};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return run_program(argv);
}

// The server has died, and a helper that it started is left with its socket.
TEST_F(HoldersTest, ALeftoverIsNotTakenForTheServer) {
  const TestNetns ns;
  UniqueFd listener;
  std::vector<UniqueFd> clients;
  ns.run([&] { listener = listen_tcp("127.0.0.1", 8080, 4); });
  ::fcntl(listener.get(), F_SETFD, 0);  // to be inherited
  const Background helper({"sleep", "60"});
  ASSERT_TRUE(eventually([&] {
    return check(ns, {"--for", "0s", "--json"}).out.find("\"sleep\"") != std::string::npos;
  }));
  listener.reset();
  ns.run([&] { clients = connect_many("127.0.0.1", 8080, 8); });
  const SteadyClients steady(ns.fd(), "127.0.0.1", 8080);
  const Output text = check(ns, {"--for", "2s", "--verbose"});
  EXPECT_EQ(text.exit_code, 1);
  EXPECT_NE(text.out.find("held by sleep (pid " + std::to_string(helper.pid())), std::string::npos)
      << text.out;
  EXPECT_NE(text.out.find("SOCK_CLOEXEC"), std::string::npos) << text.out;
  EXPECT_EQ(text.out.find("Have sleep"), std::string::npos) << text.out;
}

// It is stopped, and has more descriptors than it may have: its queue is long enough.
TEST_F(HoldersTest, AStoppedServerIsNotToldToListenForMore) {
  const TestNetns ns;
  const Background server({"/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", "8080"},
                          ns.fd());
  ASSERT_TRUE(eventually([&] {
    return check(ns, {"--for", "0s", "--json"}).out.find("\"port\": 8080") != std::string::npos;
  }));
  ::kill(server.pid(), SIGSTOP);
  const rlimit none_left{.rlim_cur = 4, .rlim_max = 4};
  ASSERT_EQ(::prlimit(server.pid(), RLIMIT_NOFILE, &none_left, nullptr), 0);
  std::vector<UniqueFd> clients;
  ns.run([&] { clients = connect_many("127.0.0.1", 8080, 8); });
  const Output output = check(ns, {"--for", "1s", "--json"});
  EXPECT_NE(output.out.find("kill -CONT " + std::to_string(server.pid())), std::string::npos)
      << output.out;
  EXPECT_EQ(output.out.find("Raise Python http.server"), std::string::npos) << output.out;
  EXPECT_NE(output.out.find(" of 4 are in use"), std::string::npos) << output.out;
}

}  // namespace
}  // namespace acceptq::test
