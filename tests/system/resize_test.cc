// acceptq fix --live and --undo on real servers, under load, by the built program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "support/child.h"
#include "support/file_tree.h"
#include "support/netns.h"
#include "support/require.h"
#include "support/traffic.h"

namespace acceptq::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

struct Server {
  const char* name;
  std::vector<std::string> argv;
  std::string address;
  std::uint16_t port;
};

class LiveResize : public testing::Test {
 protected:
  void SetUp() override {
    if (!may_unshare()) GTEST_SKIP() << "needs root, to make network namespaces";
    if (!kernel_is_at_least(5, 6)) GTEST_SKIP() << "pidfd_getfd() came with Linux 5.6";
    ns_.emplace();
    ns_->set("net/core/somaxconn", "16");
  }

  // The journal is the host's; what this namespace has there goes with it.
  void TearDown() override {
    if (!ns_) return;
    const std::string prefix = std::to_string(ns_->id().value()) + "-";
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator("/run/acceptq/resizes", error)) {
      if (entry.path().filename().string().starts_with(prefix)) {
        std::filesystem::remove(entry.path(), error);
      }
    }
  }

  Output acceptq(const std::string& command, const std::vector<std::string>& arguments) {
    const std::string program = ACCEPTQ_BINARY_DIR "/acceptq";
    std::vector<std::string> argv = {program, command, ns_->selector(), "--tracing", "none"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return run_program(argv);
  }

  json listener() {
    const Output output = acceptq("check", {"--json", "--for", "0s", "--all"});
    const json report = json::parse(output.out, nullptr, false);
    if (report.is_discarded() || report.at("listeners").empty()) return {};
    return report.at("listeners").at(0);
  }

  std::uint64_t length() {
    const json seen = listener();
    return seen.is_null() ? 0 : seen.at("accept_queue").at("length").get<std::uint64_t>();
  }
  std::uint64_t limit() {
    const json seen = listener();
    return seen.is_null() ? 0 : seen.at("accept_queue").at("limit").get<std::uint64_t>();
  }

  std::uint64_t overflows() {
    const Output output = run_program({"nstat", "-asz", "TcpExtListenOverflows"}, ns_->fd());
    std::string_view rest = output.out;
    while (!rest.empty()) {
      const std::vector<std::string_view> fields = split_blank(next_line(rest));
      if (fields.size() > 1 && fields[0] == "TcpExtListenOverflows") {
        return parse_int<std::uint64_t>(fields[1]).value_or(0);
      }
    }
    return 0;
  }

  std::string somaxconn() {
    std::string text;
    ns_->run([&] { text = read_file("/proc/sys/net/core/somaxconn").value_or(""); });
    return std::string(trim(text));
  }

  // Its queue overflows while it is stopped, is enlarged, and takes everybody; and the server takes
  // them when it goes on.
  void enlarge_under_load(const Server& server);

  std::optional<TestNetns> ns_;
  FileTree tree_;
};

void LiveResize::enlarge_under_load(const Server& server) {
  const Background process(server.argv, ns_->fd());
  ASSERT_TRUE(eventually([&] { return limit() > 0; })) << server.name;
  const std::uint64_t before = limit();
  process.signal_group(SIGSTOP);
  const int wanted = static_cast<int>(before) + 40;
  std::vector<UniqueFd> clients;
  ns_->run([&] { clients = connect_many(server.address, server.port, wanted); });
  ASSERT_TRUE(eventually([&] { return length() == before + 1 && overflows() > 0; })) << server.name;
  const Output fixed =
      acceptq("fix", {"--for", "0s", "--live", "--even-so", "--yes", "--limit", "4096", "--json"});
  ASSERT_EQ(fixed.exit_code, 0) << server.name << fixed.out << fixed.err;
  const std::uint64_t refused = overflows();
  const json result = json::parse(fixed.out);
  EXPECT_EQ(result.at("schema"), "acceptq.fix_live/1");
  EXPECT_EQ(result.at("done"), true);
  const json& changed = result.at("changes").at(0);
  EXPECT_EQ(changed.at("listeners").at(0).at("before"), before);
  EXPECT_EQ(changed.at("listeners").at(0).at("after"), 4096);
  EXPECT_EQ(changed.at("somaxconn").at("end"), "put_back");
  EXPECT_EQ(somaxconn(), "16");
  // Who was in the queue still is, and who was refused comes in with the next SYN.
  EXPECT_GE(length(), before + 1);
  EXPECT_TRUE(eventually([&] { return length() == static_cast<std::uint64_t>(wanted); }))
      << server.name << length();
  EXPECT_EQ(overflows(), refused) << server.name;
  const json seen = listener();
  EXPECT_EQ(seen.at("accept_queue").at("limit_set_by"), "acceptq");
  process.signal_group(SIGCONT);
  EXPECT_TRUE(eventually([&] { return length() == 0; })) << server.name << length();
  EXPECT_EQ(::kill(process.pid(), 0), 0) << server.name;
  // And back.
  const Output undone = acceptq("fix", {"--undo", "--yes"});
  EXPECT_EQ(undone.exit_code, 0) << server.name << undone.out << undone.err;
  EXPECT_EQ(limit(), before);
  EXPECT_NE(listener().at("accept_queue").at("limit_set_by"), "acceptq");
  EXPECT_EQ(somaxconn(), "16");
}

TEST_F(LiveResize, Nginx) {
  tree_.write("nginx.conf", "daemon off; worker_processes 2; pid " + tree_.path("pid") +
                                "; error_log " + tree_.path("error.log") +
                                "; events {}\nhttp { access_log off; client_body_temp_path " +
                                tree_.path("b") + "; proxy_temp_path " + tree_.path("p") +
                                "; fastcgi_temp_path " + tree_.path("f") + "; uwsgi_temp_path " +
                                tree_.path("u") + "; scgi_temp_path " + tree_.path("s") +
                                "; server { listen 8080; } }\n");
  enlarge_under_load({"nginx", {"nginx", "-c", tree_.path("nginx.conf")}, "127.0.0.1", 8080});
}

TEST_F(LiveResize, Redis) {
  enlarge_under_load({"redis",
                      {"redis-server", "--port", "6379", "--save", "", "--bind", "127.0.0.1"},
                      "127.0.0.1",
                      6379});
}

TEST_F(LiveResize, PythonOnIpv6) {
  enlarge_under_load(
      {"python", {"/usr/bin/python3", "-m", "http.server", "--bind", "::1", "8000"}, "::1", 8000});
}

TEST_F(LiveResize, Haproxy) {
  tree_.write("haproxy.cfg",
              "defaults\n  mode http\n  timeout client 60s\n  timeout server 60s\n  timeout "
              "connect 5s\nfrontend f\n  bind 127.0.0.1:8080\n");
  enlarge_under_load(
      {"haproxy", {"haproxy", "-db", "-f", tree_.path("haproxy.cfg")}, "127.0.0.1", 8080});
}

// A stopped server has to be let go on: a longer queue is no help, and is refused.
TEST_F(LiveResize, WhereTheCauseIsKnownItComesFirst) {
  const Background server({"redis-server", "--port", "6379", "--save", "", "--bind", "127.0.0.1"},
                          ns_->fd());
  ASSERT_TRUE(eventually([&] { return limit() > 0; }));
  server.signal_group(SIGSTOP);
  std::vector<UniqueFd> clients;
  ns_->run([&] { clients = connect_many("127.0.0.1", 6379, 40); });
  const Output refused =
      acceptq("fix", {"--for", "1s", "--live", "--yes", "--limit", "4096", "--json"});
  EXPECT_EQ(refused.exit_code, 2) << refused.out << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("--even-so"));
  const json result = json::parse(refused.out);
  EXPECT_EQ(result.at("done"), false);
  EXPECT_EQ(result.at("changes").at(0).at("objections").at(0).at("kind"), "cause");
  EXPECT_EQ(limit(), 16U);
  server.signal_group(SIGCONT);
}

TEST_F(LiveResize, NothingIsChangedUnasked) {
  UniqueFd server;
  ns_->run([&] { server = listen_tcp("127.0.0.1", 8080, 5); });
  const Output unasked = acceptq("fix", {"--for", "0s", "--live", "--limit", "100"});
  EXPECT_EQ(unasked.exit_code, 2);
  EXPECT_THAT(unasked.out, HasSubstr("16 becomes 100"));
  EXPECT_THAT(unasked.err, HasSubstr("--yes"));
  EXPECT_EQ(limit(), 5U);
  const Output undo = acceptq("fix", {"--undo", "--yes"});
  EXPECT_EQ(undo.exit_code, 3);
  EXPECT_THAT(undo.err, HasSubstr("nothing to undo"));
}

TEST_F(LiveResize, AUnixSocketIsLeftAlone) {
  UniqueFd server;
  const std::string path = tree_.path("x.sock");
  ns_->run([&] { server = listen_unix(path, 5); });
  const Output output = acceptq("fix", {"--for", "0s", "--live", "--yes", "--limit", "100"});
  EXPECT_EQ(output.exit_code, 2) << output.out << output.err;
  EXPECT_THAT(output.err, HasSubstr("SO_PEERCRED"));
}

TEST_F(LiveResize, TheTextSaysWhatWasDoneAndHowLongItLasts) {
  UniqueFd server;
  ns_->run([&] { server = listen_tcp("127.0.0.1", 8080, 5); });
  const Output done =
      acceptq("fix", {"--for", "0s", "--live", "--yes", "--limit", "100", "--keep-sysctl"});
  EXPECT_EQ(done.exit_code, 0) << done.err;
  EXPECT_THAT(done.out, HasSubstr("limit is 100 (it was 5)"));
  EXPECT_THAT(done.out, HasSubstr("does not survive a restart"));
  EXPECT_EQ(somaxconn(), "100");
  EXPECT_EQ(acceptq("fix", {"--undo", "--yes"}).exit_code, 0);
  EXPECT_EQ(limit(), 5U);
  EXPECT_EQ(somaxconn(), "16");
}

}  // namespace
}  // namespace acceptq::test
