// Real servers with the configuration that Debian gives them: the limit of their listener is read,
// the edit is made from what the process shows, applied by patch or as an option of the command
// line, and takes effect as it says.
//
// Each runs in a network namespace and a mount namespace of its own, with copies of its files
// there: what is found must be what the process sees, not what the host has. `make test` runs some
// of them (server_config_test), `make test-full` all (server_config_full_test, too).
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "remedy/servers.h"
#include "running_server.h"
#include "support/child.h"
#include "support/netns.h"

namespace acceptq::test {
namespace {

constexpr const char* kProgram = ACCEPTQ_BINARY_DIR "/acceptq";
constexpr std::uint32_t kWanted = 3000;
constexpr std::uint32_t kSomaxconn = 16384;  // in their namespaces

std::vector<const remedy::Server*> rows_of(std::string_view name) {
  std::vector<const remedy::Server*> rows;
  for (const remedy::Server& server : remedy::known_servers()) {
    if (server.name == name) rows.push_back(&server);
  }
  return rows;
}

// What the table says of it is what it does.
void expect_row(const std::string& name, std::uint32_t usual, config::Effect effect) {
  const auto rows = rows_of(name);
  ASSERT_FALSE(rows.empty()) << name;
  const remedy::Server& row = *rows.front();
  EXPECT_TRUE(row.verified) << name;
  if (row.asks_somaxconn) {
    EXPECT_EQ(usual, kSomaxconn) << name;
  } else if (row.default_backlog) {
    EXPECT_EQ(*row.default_backlog, usual) << name;
  }
  const bool reload = effect == config::Effect::kReload;
  EXPECT_EQ(row.apply, reload ? remedy::ApplyBy::kReload : remedy::ApplyBy::kRestart) << name;
}

// What `acceptq fix` prints is one text; patch finds the diffs in it, here of two listens of one
// file.
TEST(FixOfAServersConfiguration, IsTakenByPatchAsItIsPrinted) {
  if (!may_unshare()) GTEST_SKIP() << "needs root, to make namespaces";
  const ServerCase& server = some_servers().front();
  if (::access(server.program, X_OK) != 0) GTEST_SKIP() << "nginx is not installed";
  RunningServer nginx(server);
  ASSERT_EQ(nginx.await(511), 511U);
  const Output fix = run_program(
      {kProgram, "fix", "--for", "200ms", "--limit", std::to_string(kWanted), nginx.selector()});
  EXPECT_NE(fix.out.find("server.config: Change /etc/nginx/sites-available/default:22."),
            std::string::npos)
      << fix.out << fix.err;
  nginx.patch(fix.out);
  nginx.reload();
  EXPECT_EQ(nginx.await(kWanted), kWanted);
}

class ServerConfigTest : public testing::TestWithParam<ServerCase> {};

TEST_P(ServerConfigTest, IsEditedAndTakesEffectAsTold) {
  const ServerCase& server = GetParam();
  if (!may_unshare()) GTEST_SKIP() << "needs root, to make namespaces";
  const std::string etc = std::string("/etc/") + server.etc;
  if (const std::string needed = etc + server.file; ::access(needed.c_str(), F_OK) != 0) {
    GTEST_SKIP() << needed << " is not there";
  }
  if (::access(server.program, F_OK) != 0) GTEST_SKIP() << server.program << " is not installed";
  expect_row(server.row, server.usual, server.effect);
  RunningServer running(server);
  ASSERT_EQ(running.await(server.usual), server.usual);
  const Result<config::Edit> edit = running.edit(kWanted);
  ASSERT_TRUE(edit) << edit.error().message();
  const bool by_file = *server.etc != '\0';
  ASSERT_EQ(edit->files.empty(), !by_file) << edit->option << edit->note;
  ASSERT_EQ(edit->option.empty(), by_file) << edit->option;
  EXPECT_EQ(edit->takes_effect.effect, server.effect);
  running.apply(*edit);
  EXPECT_EQ(running.await(kWanted), kWanted);
  if (!by_file) return;
  const Result<config::Edit> again = running.edit(kWanted);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_TRUE(again->files.empty()) << "it is written already";
}

std::string name_of(const testing::TestParamInfo<ServerCase>& server) { return server.param.name; }

INSTANTIATE_TEST_SUITE_P(Some, ServerConfigTest, testing::ValuesIn(some_servers()), name_of);
INSTANTIATE_TEST_SUITE_P(More, ServerConfigTest, testing::ValuesIn(more_servers()), name_of);

// A program whose backlog is in its code, or in a configuration that is code: the table's example
// is what `fix` prints for it, and stands here where a call without a backlog stood.
struct CodeCase {
  ServerCase server;
  const char* file = nullptr;  // below the root; null: it has no setting
  const char* text = "";       // of the file, with "@" where the call belongs
  const char* call = "";       // at first
};

const CodeCase kCode[] = {
    {.server = {.name = "node",
                .row = "Node.js",
                .program = "/usr/bin/node",
                .etc = "opt",
                .prepare = ":",
                .start = "/usr/bin/node /etc/opt/server.js",
                .port = 8081,
                .address = "::",
                .usual = 511},
     .file = "etc/opt/server.js",
     .text = "const server = require('http').createServer(); @\n",
     .call = "server.listen(8081)"},
    {.server = {.name = "python",
                .row = "Python http.server / socketserver / wsgiref / xmlrpc",
                .program = "/usr/bin/python3",
                .etc = "opt",
                .prepare = ":",
                .start = "/usr/bin/python3 /etc/opt/server.py",
                .port = 8082,
                .address = "0.0.0.0",
                .usual = 5},
     .file = "etc/opt/server.py",
     .text =
         "from http.server import *\n@\nS(('', 8082), BaseHTTPRequestHandler).serve_forever()\n",
     .call = "class S(ThreadingHTTPServer): pass"},
    {.server = {.name = "asyncio",
                .row = "Python asyncio",
                .program = "/usr/bin/python3",
                .etc = "opt",
                .prepare = ":",
                .start = "/usr/bin/python3 /etc/opt/server.py",
                .port = 8083,
                .address = "0.0.0.0",
                .usual = 100},
     .file = "etc/opt/server.py",
     .text = "import asyncio\nasync def h(r, w): pass\nasync def main():\n"
             "  await (@).serve_forever()\nasyncio.run(main())\n",
     .call = "await asyncio.start_server(h, port=8083)"},
    {.server = {.name = "java",
                .row = "Java ServerSocket",
                .program = "/usr/bin/javac",
                .etc = "opt",
                .prepare = ":",
                .start = "/usr/bin/java /etc/opt/Server.java",
                .port = 8084,
                .address = "::",
                .usual = 50},
     .file = "etc/opt/Server.java",
     .text = "import java.net.*;\nclass Server { public static void main(String[] a) throws "
             "Exception {\n"
             "  var s = @; while (true) s.accept(); } }\n",
     .call = "new ServerSocket(8084)"},
    {.server = {.name = "puma",
                .row = "Puma",
                .program = "/usr/bin/puma",
                .etc = "opt",
                .prepare = "cd /run",
                .start = "puma -C /etc/opt/puma.rb",
                .port = 8085,
                .address = "0.0.0.0",
                .usual = 1024},
     .file = "etc/opt/puma.rb",
     .text = "@\napp { |environment| [200, {}, []] }\n",
     .call = "bind 'tcp://0.0.0.0:8085'"},
    {.server = {.name = "unicorn",
                .row = "Unicorn",
                .program = "/usr/bin/unicorn",
                .etc = "opt",
                .prepare = "cd /run; echo 'run lambda { |e| [200, {}, []] }' > config.ru",
                .start = "unicorn -c /etc/opt/unicorn.rb",
                .port = 8087,
                .address = "0.0.0.0",
                .usual = 1024,
                .effect = config::Effect::kReload},
     .file = "etc/opt/unicorn.rb",
     .text = "@\n",
     .call = "listen 8087"},
    {.server = {.name = "twemproxy",
                .row = "twemproxy",
                .program = "/usr/sbin/nutcracker",
                .etc = "opt",
                .prepare = "mkdir /var/log/nutcracker",
                .start = "nutcracker -c /etc/opt/n.yml -a 127.0.0.1",
                .port = 8088,
                .address = "127.0.0.1",
                .usual = 512},
     .file = "etc/opt/n.yml",
     .text = "a:\n  listen: 127.0.0.1:8088\n  @\n  distribution: ketama\n"
             "  servers:\n   - 127.0.0.1:9:1\n",
     .call = "hash: murmur"},
    // Those that follow have no setting.
    {.server = {.name = "beanstalkd",
                .row = "beanstalkd",
                .program = "/usr/bin/beanstalkd",
                .etc = "",
                .prepare = ":",
                .start = "beanstalkd -l 127.0.0.1",
                .port = 11300,
                .address = "127.0.0.1",
                .usual = 1024}},
    {.server = {.name = "dropbear",
                .row = "Dropbear",
                .program = "/usr/sbin/dropbear",
                .etc = "",
                .prepare = "cd /run; dropbearkey -t ed25519 -f key",
                .start = "dropbear -F -r key -p 2222",
                .port = 2222,
                .address = "0.0.0.0",
                .usual = 1000}},
    {.server = {.name = "mosquitto",
                .row = "Mosquitto",
                .program = "/usr/sbin/mosquitto",
                .etc = "",
                .prepare = ":",
                .start = "mosquitto -p 1883",
                .port = 1883,
                .address = "127.0.0.1",
                .usual = 100}},
    {.server = {.name = "tinyproxy",
                .row = "Tinyproxy",
                .program = "/usr/bin/tinyproxy",
                .etc = "",
                .prepare = "echo 'Port 8888' > /run/t.conf",
                .start = "tinyproxy -d -c /run/t.conf",
                .port = 8888,
                .address = "0.0.0.0",
                .usual = 1024}},
    {.server = {.name = "go",
                .row =
                    "Go net (any Go server: etcd, CoreDNS, kube-apiserver, kubelet, dockerd API, "
                    "grpc-go, MinIO, Prometheus...)",
                .program = "/usr/bin/go",
                .etc = "opt",
                .prepare = "export HOME=/run GOFLAGS=-mod=mod GOTOOLCHAIN=local GOTELEMETRY=off",
                .start = "/usr/bin/go run /etc/opt/server.go",
                .port = 8086,
                .address = "0.0.0.0",
                .child = true,
                .usual = kSomaxconn},
     .file = "etc/opt/server.go",
     .text = "package main\nimport \"net\"\nfunc main() { l, _ := net.Listen(\"tcp4\", \":8086\")\n"
             "for { l.Accept() } }\n",
     .call = ""},
};

class ServerCodeTest : public testing::TestWithParam<CodeCase> {};

TEST_P(ServerCodeTest, TakesWhatTheTableWrites) {
  const CodeCase& code = GetParam();
  if (!may_unshare()) GTEST_SKIP() << "needs root, to make namespaces";
  if (::access(code.server.program, X_OK) != 0) {
    GTEST_SKIP() << code.server.program << " is not installed";
  }
  expect_row(code.server.row, code.server.usual, code.server.effect);
  const auto text = [&](std::string_view call) {
    std::string whole = code.text;
    if (const std::size_t at = whole.find('@'); at != std::string::npos) whole.replace(at, 1, call);
    return whole;
  };
  std::map<std::string, std::string> files;
  if (code.file != nullptr) files[code.file] = text(code.call);
  RunningServer running(code.server, files);
  ASSERT_EQ(running.await(code.server.usual), code.server.usual);
  const remedy::Server& row = *rows_of(code.server.row).front();
  if (code.file == nullptr || row.key.empty()) return;
  const std::string call =
      remedy::fill_example(row, {.endpoint = "", .port = code.server.port, .backlog = kWanted});
  running.write(code.file, text(call));
  row.apply == remedy::ApplyBy::kReload ? running.reload() : running.start();
  EXPECT_EQ(running.await(kWanted), kWanted) << call;
}

INSTANTIATE_TEST_SUITE_P(More, ServerCodeTest, testing::ValuesIn(kCode),
                         [](const auto& code) { return std::string(code.param.server.name); });

// The table's word that a row was seen to be true is this test.
TEST(TableOfServers, SaysVerifiedOfThoseHere) {
  const auto has = [](const auto& cases, const auto& row_of, std::string_view name) {
    return std::ranges::any_of(cases, [&](const auto& each) { return row_of(each) == name; });
  };
  const auto row_of = [](const ServerCase& server) { return std::string_view(server.row); };
  for (const remedy::Server& server : remedy::known_servers()) {
    if (!server.verified) continue;
    EXPECT_TRUE(has(some_servers(), row_of, server.name) ||
                has(more_servers(), row_of, server.name) ||
                has(
                    kCode, [](const CodeCase& code) { return std::string_view(code.server.row); },
                    server.name))
        << server.name;
  }
}

}  // namespace
}  // namespace acceptq::test
