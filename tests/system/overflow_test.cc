// Real overflow in fresh namespaces, seen by the built program and compared, number by number, with
// what ss and nstat print of the same moment.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/text.h"
#include "support/child.h"
#include "support/netns.h"
#include "support/traffic.h"

namespace acceptq::test {
namespace {

using nlohmann::json;

class OverflowTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!may_unshare()) GTEST_SKIP() << "needs root, to make network namespaces";
  }
};

// One line of `ss -Hlnt` / `ss -Hlnx`.
struct SsRow {
  std::uint64_t length = 0;
  std::uint64_t limit = 0;
};

std::optional<SsRow> ss_row(const TestNetns& ns, const std::string& kind, const std::string& end) {
  const Output ss = run_program({"ss", "-Hln" + kind}, ns.fd());
  std::string_view rest = ss.out;
  while (!rest.empty()) {
    const std::vector<std::string_view> fields = split_blank(next_line(rest));
    const std::size_t state = kind == "x" ? 1 : 0;  // ss -x begins with the netid
    if (fields.size() < state + 4) continue;
    const bool found =
        kind == "x" ? fields[state + 3] == end : fields[state + 3].ends_with(":" + end);
    if (!found) continue;
    return SsRow{.length = parse_int<std::uint64_t>(fields[state + 1]).value_or(0),
                 .limit = parse_int<std::uint64_t>(fields[state + 2]).value_or(0)};
  }
  return std::nullopt;
}

std::uint64_t nstat(const TestNetns& ns, const std::string& counter) {
  const Output output = run_program({"nstat", "-asz", counter}, ns.fd());
  std::string_view rest = output.out;
  while (!rest.empty()) {
    const std::vector<std::string_view> fields = split_blank(next_line(rest));
    if (fields.size() > 1 && fields[0] == counter) {
      return parse_int<std::uint64_t>(fields[1]).value_or(0);
    }
  }
  ADD_FAILURE() << "nstat shows no " << counter;
  return 0;
}

struct Check {
  int exit_code = -1;
  json report;
};

// To load what traces takes ten seconds in an emulated guest: where nothing depends on it, a test
// goes without.
Check check(const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = {ACCEPTQ_BINARY_DIR "/acceptq", "check", "--json"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  const Output output = run_program(argv);
  Check result{.exit_code = output.exit_code, .report = json::parse(output.out, nullptr, false)};
  EXPECT_FALSE(result.report.is_discarded()) << output.out << output.err;
  return result;
}

const json* listener_on(const json& report, int port) {
  for (const json& listener : report.at("listeners")) {
    if (listener.at("port") == port) return &listener;
  }
  ADD_FAILURE() << "no listener on port " << port << " in " << report.dump(1);
  return nullptr;
}

bool has_finding(const json& report, const std::string& id) {
  for (const json& finding : report.at("findings")) {
    if (finding.at("id") == id) return true;
  }
  return false;
}

std::int64_t counter(const json& report, const TestNetns& ns, const std::string& name,
                     const char* field) {
  for (const json& each : report.at("namespaces")) {
    if (each.at("id") == ns.id().value()) return each.at("counters").at(name).at(field);
  }
  ADD_FAILURE() << "no namespace " << ns.id().value();
  return -1;
}

// What must hold for any TCP listener on `port` whose accept queue of `limit` is full, while
// clients go on trying.
void expect_overflowing(const TestNetns& ns, std::uint16_t port, std::uint64_t limit,
                        const std::vector<std::string>& extra = {},
                        const std::string& address = "127.0.0.1") {
  const SteadyClients trying(ns.fd(), address, port);
  std::vector<std::string> arguments = {"--for", "1500ms", ns.selector()};
  arguments.insert(arguments.end(), extra.begin(), extra.end());
  const std::uint64_t overflows_before = nstat(ns, "TcpExtListenOverflows");
  const Check result = check(arguments);
  const std::uint64_t overflows_after = nstat(ns, "TcpExtListenOverflows");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.report.at("verdict"), "overflowing");
  EXPECT_TRUE(has_finding(result.report, "AQ101")) << result.report.at("findings").dump(1);

  const json* listener = listener_on(result.report, port);
  ASSERT_NE(listener, nullptr);
  const std::optional<SsRow> row = ss_row(ns, "t", std::to_string(port));
  ASSERT_TRUE(row.has_value());
  EXPECT_EQ(row->limit, limit);
  const json& queue = listener->at("accept_queue");
  EXPECT_EQ(queue.at("limit"), row->limit);
  EXPECT_EQ(queue.at("capacity"), row->limit + 1);
  EXPECT_EQ(queue.at("length"), row->length);
  // Whether there is room is looked at without a lock: another CPU may have filled it meanwhile.
  EXPECT_GE(queue.at("longest"), limit + 1);
  EXPECT_LE(queue.at("longest"), limit + std::thread::hardware_concurrency());
  EXPECT_EQ(listener->at("verdict"), "overflowing");

  const std::int64_t total = counter(result.report, ns, "TcpExtListenOverflows", "total");
  const std::int64_t delta = counter(result.report, ns, "TcpExtListenOverflows", "delta");
  EXPECT_GE(total, static_cast<std::int64_t>(overflows_before));
  EXPECT_LE(total, static_cast<std::int64_t>(overflows_after));
  EXPECT_GT(delta, 0);
  EXPECT_LE(delta, static_cast<std::int64_t>(overflows_after - overflows_before));
}

TEST_F(OverflowTest, Ipv4ListenerThatNobodyAccepts) {
  const TestNetns ns;
  UniqueFd listener;
  std::vector<UniqueFd> clients;
  ns.run([&] {
    listener = listen_tcp("127.0.0.1", 8080, 5);
    clients = connect_many("127.0.0.1", 8080, 40);
  });
  expect_overflowing(ns, 8080, 5);
}

TEST_F(OverflowTest, Ipv6ListenerThatNobodyAccepts) {
  const TestNetns ns;
  UniqueFd listener;
  std::vector<UniqueFd> clients;
  ns.run([&] {
    listener = listen_tcp("::1", 8080, 7);
    clients = connect_many("::1", 8080, 40);
  });
  expect_overflowing(ns, 8080, 7, {}, "::1");
}

TEST_F(OverflowTest, TheSameByNetlink) {
  const TestNetns ns;
  UniqueFd listener;
  std::vector<UniqueFd> clients;
  ns.run([&] {
    listener = listen_tcp("127.0.0.1", 8080, 5);
    clients = connect_many("127.0.0.1", 8080, 40);
  });
  expect_overflowing(ns, 8080, 5, {"--scan", "netlink", "--tracing", "none"});
}

TEST_F(OverflowTest, SomaxconnOfTheNamespaceIsNamed) {
  const TestNetns ns;
  ns.set("net/core/somaxconn", "16");
  UniqueFd listener;
  std::vector<UniqueFd> clients;
  ns.run([&] {
    listener = listen_tcp("127.0.0.1", 8080, 511);
    clients = connect_many("127.0.0.1", 8080, 60);
  });
  expect_overflowing(ns, 8080, 16);
  const Check result = check({"--for", "100ms", "--tracing", "none", ns.selector()});
  const json* found = listener_on(result.report, 8080);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->at("accept_queue").at("limit_set_by"), "somaxconn");
  EXPECT_EQ(found->at("accept_queue").at("somaxconn"), 16);
  EXPECT_TRUE(has_finding(result.report, "AQ104")) << result.report.at("findings").dump(1);
}

// A server from Debian that is stopped: the kernel goes on completing handshakes until its queue is
// full, which is what every stalled server looks like from outside.
void expect_overflow_of_server(const std::vector<std::string>& argv, std::uint16_t port,
                               std::uint64_t limit, const std::string& comm) {
  const TestNetns ns;
  ns.set("net/core/somaxconn", "4096");
  const Background server(argv, ns.fd());
  // An interpreter that nobody ran before takes half a minute to start in an emulated guest.
  ASSERT_TRUE(eventually([&] { return ss_row(ns, "t", std::to_string(port)).has_value(); }, 90))
      << argv.front() << " does not listen";
  server.signal_group(SIGSTOP);
  std::vector<UniqueFd> clients;
  ns.run([&] { clients = connect_many("127.0.0.1", port, static_cast<int>(limit) + 60); });
  expect_overflowing(ns, port, limit);
  const Check result = check({"--for", "100ms", "--tracing", "none", ns.selector()});
  const json* listener = listener_on(result.report, port);
  ASSERT_NE(listener, nullptr);
  bool owned = false;
  for (const json& owner : listener->at("owners")) owned |= owner.at("comm") == comm;
  EXPECT_TRUE(owned) << listener->at("owners").dump(1);
}

TEST_F(OverflowTest, Nginx) {
  std::string dir = "/tmp/acceptq-nginx-XXXXXX";
  ASSERT_NE(::mkdtemp(dir.data()), nullptr);
  std::ofstream(dir + "/nginx.conf")
      << "daemon off; worker_processes 1; pid " << dir << "/pid; error_log " << dir
      << "/error.log; events {}\n"
         "http { access_log off; client_body_temp_path "
      << dir << "/b; proxy_temp_path " << dir << "/p; fastcgi_temp_path " << dir
      << "/f; uwsgi_temp_path " << dir << "/u; scgi_temp_path " << dir
      << "/s; server { listen 8080; } }\n";
  expect_overflow_of_server({"nginx", "-c", dir + "/nginx.conf"}, 8080, 511, "nginx");
  EXPECT_EQ(run_program({"rm", "-rf", dir}).exit_code, 0);
}

TEST_F(OverflowTest, Redis) {
  expect_overflow_of_server({"redis-server", "--port", "6379", "--save", "", "--bind", "127.0.0.1"},
                            6379, 511, "redis-server");
}

TEST_F(OverflowTest, PythonHttpServer) {
  expect_overflow_of_server({"/usr/bin/python3", "-m", "http.server", "8000"}, 8000, 5, "python3");
}

TEST_F(OverflowTest, UnixStreamListener) {
  const TestNetns ns;
  const std::string path = "@acceptq-test-" + std::to_string(::getpid());
  std::string name = path;
  name.front() = '\0';
  UniqueFd listener;
  std::vector<UniqueFd> clients;
  ns.run([&] {
    listener = listen_unix(name, 3);
    clients = connect_many_unix(name, 10);
  });
  const Check result = check({"--for", "300ms", "--tracing", "none", ns.selector()});
  EXPECT_EQ(result.exit_code, 1);
  ASSERT_EQ(result.report.at("listeners").size(), 1U);
  const json& found = result.report.at("listeners").at(0);
  EXPECT_EQ(found.at("protocol"), "unix");
  EXPECT_EQ(found.at("path"), path);
  EXPECT_EQ(found.at("accept_queue").at("length"), 4);
  EXPECT_EQ(found.at("accept_queue").at("limit"), 3);
  EXPECT_TRUE(has_finding(result.report, "AQ110")) << result.report.at("findings").dump(1);
}

TEST_F(OverflowTest, AHealthyServerUnderLoadIsHealthy) {
  const TestNetns ns;
  ns.set("net/core/somaxconn", "4096");
  const Background server({"redis-server", "--port", "6379", "--save", "", "--bind", "127.0.0.1"},
                          ns.fd());
  ASSERT_TRUE(eventually([&] { return ss_row(ns, "t", "6379").has_value(); }));
  const Background load(
      {"redis-benchmark", "-p", "6379", "-k", "0", "-n", "1000000", "-c", "20", "-t", "ping", "-q"},
      ns.fd());
  const Check result = check({"--for", "1s", ns.selector()});
  EXPECT_EQ(result.exit_code, 0) << result.report.at("findings").dump(1);
  EXPECT_EQ(result.report.at("verdict"), "healthy");
  const json* listener = listener_on(result.report, 6379);
  ASSERT_NE(listener, nullptr);
  EXPECT_GT(counter(result.report, ns, "TcpPassiveOpens", "delta"), 0);
}

TEST_F(OverflowTest, CountersThatDoNotMoveAreNoAlarm) {
  const TestNetns ns;
  UniqueFd listener;
  ns.run([&] {
    listener = listen_tcp("127.0.0.1", 8080, 1);
    ASSERT_EQ(::fcntl(listener.get(), F_SETFL, O_NONBLOCK), 0);
    const std::vector<UniqueFd> clients = connect_many("127.0.0.1", 8080, 10);
  });
  // The clients are gone; what they left in the queue is taken here.
  ns.run([&] {
    while (true) {
      const UniqueFd taken(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!taken.valid()) break;
    }
  });
  ASSERT_GT(nstat(ns, "TcpExtListenOverflows"), 0U);
  const Check result = check({"--for", "300ms", "--tracing", "none", ns.selector()});
  EXPECT_EQ(result.exit_code, 0) << result.report.at("findings").dump(1);
  EXPECT_EQ(result.report.at("verdict"), "overflowed");
  EXPECT_TRUE(has_finding(result.report, "AQ102"));
}

}  // namespace
}  // namespace acceptq::test
