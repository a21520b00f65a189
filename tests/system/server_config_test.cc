// Real servers with the configuration that Debian gives them: the limit of their listener is read,
// the edit is made from what the process shows, applied by patch, and takes effect as it says.
//
// Each runs in a network namespace and a mount namespace of its own, with copies of its files
// there: what is found must be what the process sees, not what the host has.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "collect/config_files.h"
#include "collect/procfs/process.h"
#include "config/servers.h"
#include "config/unified_diff.h"
#include "support/child.h"
#include "support/file_tree.h"
#include "support/netns.h"
#include "support/require.h"

namespace acceptq::test {
namespace {

constexpr const char* kProgram = ACCEPTQ_BINARY_DIR "/acceptq";
constexpr std::uint32_t kWanted = 3000;
constexpr std::chrono::seconds kPatience{20};

struct Server {
  const char* name;
  const char* program;    // that must be there
  const char* etc;        // what of the host's /etc it needs, copied
  const char* prepare;    // in its mount namespace, before it starts
  const char* start;      // in the foreground
  std::uint16_t port;     // or
  const char* unix_path;  // null
  const char* address;    // as the listener has it
  bool child;             // it runs below the shell that starts it, which stays
  std::uint32_t usual;    // its limit by default
  config::Effect effect;  // of the edit
};

using config::Effect;
const Server kServers[] = {
    {.name = "nginx",
     .program = "/usr/sbin/nginx",
     .etc = "nginx",
     .prepare = "mkdir /var/log/nginx",
     .start = "nginx -g 'daemon off;'",
     .port = 80,
     .address = "0.0.0.0",
     .usual = 511,
     .effect = Effect::kReload},
    {.name = "nginx6",
     .program = "/usr/sbin/nginx",
     .etc = "nginx",
     .prepare = "mkdir /var/log/nginx",
     .start = "nginx -g 'daemon off;'",
     .port = 80,
     .address = "::",
     .usual = 511,
     .effect = Effect::kReload},
    {.name = "redis",
     .program = "/usr/bin/redis-server",
     .etc = "redis",
     .prepare = "mkdir /run/redis /var/log/redis",
     .start = "redis-server /etc/redis/redis.conf --daemonize no --save ''",
     .port = 6379,
     .address = "127.0.0.1",
     .usual = 511,
     .effect = Effect::kRestart},
    // Debian's own file listens nowhere. It has changed its root when it runs.
    {.name = "haproxy",
     .program = "/usr/sbin/haproxy",
     .etc = "haproxy",
     .prepare = "mkdir /run/haproxy; cd /etc/haproxy; grep -q frontend haproxy.cfg || "
                "printf 'frontend web\\n\\tbind :80\\n\\tmaxconn 700\\n' >> haproxy.cfg",
     .start = "haproxy -db -f /etc/haproxy/haproxy.cfg",
     .port = 80,
     .address = "0.0.0.0",
     .child = true,
     .usual = 700,
     .effect = Effect::kRestart},
    {.name = "apache2",
     .program = "/usr/sbin/apache2",
     .etc = "apache2",
     .prepare = "mkdir /var/log/apache2 /run/apache2; . /etc/apache2/envvars",
     .start = "apache2 -D FOREGROUND",
     .port = 80,
     .address = "::",
     .usual = 511,
     .effect = Effect::kRestart},
    {.name = "php_fpm",
     .program = "/usr/sbin/php-fpm8.2",
     .etc = "php",
     .prepare = "mkdir /run/php",
     .start = "php-fpm8.2 -F",
     .unix_path = "/run/php/php8.2-fpm.sock",
     .usual = 16384,  // it asks for all that somaxconn allows
     .effect = Effect::kRestart},
    {.name = "uwsgi",
     .program = "/usr/bin/uwsgi",
     .etc = "opt",
     .prepare = "test -e /etc/opt/x.ini || "
                "printf '[uwsgi]\\nsocket = :3031\\nneed-app = false\\n' > /etc/opt/x.ini",
     .start = "uwsgi --ini /etc/opt/x.ini",
     .port = 3031,
     .address = "0.0.0.0",
     .usual = 100,
     .effect = Effect::kRestart},
    {.name = "gunicorn",
     .program = "/usr/bin/gunicorn",
     .etc = "opt",
     .prepare = "cd /etc/opt; test -e gunicorn.conf.py || "
                "printf 'bind = \"127.0.0.1:8000\"\\n' > gunicorn.conf.py",
     .start = "/usr/bin/python3 /usr/bin/gunicorn wsgiref.simple_server:demo_app",
     .port = 8000,
     .address = "127.0.0.1",
     .usual = 2048,
     .effect = Effect::kRestart},
    {.name = "lighttpd",
     .program = "/usr/sbin/lighttpd",
     .etc = "lighttpd",
     .prepare = "mkdir /var/log/lighttpd; chown www-data /var/log/lighttpd",
     .start = "lighttpd -D -f /etc/lighttpd/lighttpd.conf",
     .port = 80,
     .address = "0.0.0.0",
     .usual = 1024,
     .effect = Effect::kRestart},
    // Its options as Debian's start script makes them from the file.
    {.name = "memcached",
     .program = "/usr/bin/memcached",
     .etc = "memcached.conf",
     .prepare = "mkdir /run/memcached",
     .start =
         "memcached $(grep -E '^-[a-zA-Z]' /etc/memcached.conf | grep -v '^-d' | tr '\\n' ' ')",
     .port = 11211,
     .address = "127.0.0.1",
     .usual = 1024,
     .effect = Effect::kRestart},
};

class Running {
 public:
  explicit Running(const Server& server) : server_(server) {
    ns_.set("net/core/somaxconn", "16384");
    if (*server.etc != '\0') {
      const std::string from = std::string("/etc/") + server.etc;
      std::filesystem::create_directories(
          std::filesystem::path(tree_.path("etc/") + server.etc).parent_path());
      const Output copied = run_program({"cp", "-a", from, tree_.path("etc/") + server.etc});
      require(copied.exit_code == 0, "cp");
    }
    start();
  }

  void start() {
    std::string script = "set -e; mount -t tmpfs none /run; mount -t tmpfs none /var/log;";
    if (*server_.etc != '\0') {
      script += "mount --bind " + tree_.path("etc/") + server_.etc + " /etc/" + server_.etc + "; ";
    }
    script += std::string(server_.prepare) + "; ";
    script += server_.child ? std::string(server_.start) + " & wait"
                            : "exec " + std::string(server_.start);
    process_.reset();
    process_ = std::make_unique<Background>(
        std::vector<std::string>{"unshare", "-m", "--propagation", "private", "sh", "-c", script},
        ns_.fd());
  }

  [[nodiscard]] std::optional<std::uint32_t> limit() const {
    const bool is_unix = server_.unix_path != nullptr;
    const Output ss = run_program({"ss", is_unix ? "-Hlx" : "-Hlt", "-n"}, ns_.fd());
    const std::string end = is_unix ? server_.unix_path : ":" + std::to_string(server_.port);
    std::string_view rest = ss.out;
    while (!rest.empty()) {
      // Unix: Netid State Recv-Q Send-Q Address; TCP: State Recv-Q Send-Q Address.
      const std::vector<std::string_view> fields = split_blank(next_line(rest));
      const std::size_t address = is_unix ? 4 : 3;
      if (fields.size() <= address || !fields[address].ends_with(end)) continue;
      if (!is_unix && !is_wanted(fields[address])) continue;
      return parse_int<std::uint32_t>(fields[address - 1]);
    }
    return std::nullopt;
  }

  // The limit, once it is `wanted`; else what it is in the end.
  [[nodiscard]] std::optional<std::uint32_t> await(std::uint32_t wanted) const {
    const auto until = std::chrono::steady_clock::now() + kPatience;
    std::optional<std::uint32_t> now = limit();
    while (now != wanted && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      now = limit();
    }
    return now;
  }

  [[nodiscard]] Result<config::Edit> edit(std::uint32_t value) const {
    config::Wish wish{.value = value};
    if (server_.unix_path != nullptr) {
      wish.listener.protocol = facts::Protocol::kUnix;
      wish.listener.path = server_.unix_path;
    } else {
      wish.listener.address = *facts::IpAddress::parse(server_.address);
      wish.listener.port = server_.port;
    }
    const std::string pid = server_pid();
    const auto stat = read_file("/proc/" + pid + "/stat");
    if (!stat) return fail(stat.error());
    auto files = collect::ConfigFiles::of(Pid(std::stoi(pid)),
                                          collect::procfs::parse_stat(*stat)->start_ticks);
    if (!files) return fail(files.error());
    const auto how = files->invocation();
    if (!how) return fail(how.error());
    return config::plan_edit(*how, wish,
                             [&](const std::string& name) { return files->read(name); });
  }

  void apply(const config::Edit& edit) {
    for (const config::FileEdit& file : edit.files) patch(config::unified_diff(file));
    if (edit.takes_effect.effect == Effect::kRestart) return start();
    run(config::shell_line(edit.check) + " && " + config::shell_line(edit.takes_effect));
  }

  // Below its files' root.
  void patch(const std::string& text) const {
    tree_.write("the.diff", text);
    const Output patched =
        run_program({"patch", "-p1", "-d", tree_.root(), "-i", tree_.path("the.diff")});
    EXPECT_EQ(patched.exit_code, 0) << patched.out << patched.err << text;
  }

  // Among its mounts and in its network namespace.
  void run(const std::string& command) const {
    const Output output = run_program(
        {"nsenter", "-t", std::to_string(process_->pid()), "-m", "-n", "sh", "-c", command});
    EXPECT_EQ(output.exit_code, 0) << command << output.out << output.err;
  }

  // Its master was started in place of the shell.
  void reload() const { run("kill -HUP " + std::to_string(process_->pid())); }

  [[nodiscard]] std::string selector() const { return ns_.selector(); }

 private:
  [[nodiscard]] std::string server_pid() const {
    std::string shell = std::to_string(process_->pid());
    if (!server_.child) return shell;
    const auto children = read_file("/proc/" + shell + "/task/" + shell + "/children");
    require(children && !split_blank(*children).empty(), "the shell's child");
    return std::string(split_blank(*children).back());
  }
  [[nodiscard]] bool is_wanted(std::string_view local) const {
    const bool v6 = local.starts_with('[');
    return v6 == (std::string_view(server_.address).find(':') != std::string_view::npos) ||
           local.starts_with('*');
  }

  const Server& server_;
  TestNetns ns_;
  FileTree tree_;
  std::unique_ptr<Background> process_;
};

// What `acceptq fix` prints is one text; patch finds the diffs in it, here of two listens of one
// file.
TEST(FixOfAServersConfiguration, IsTakenByPatchAsItIsPrinted) {
  if (!may_unshare()) GTEST_SKIP() << "needs root, to make namespaces";
  if (::access(kServers[0].program, X_OK) != 0) GTEST_SKIP() << "nginx is not installed";
  Running nginx(kServers[0]);
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

class ServerConfigTest : public testing::TestWithParam<Server> {};

TEST_P(ServerConfigTest, IsEditedAndTakesEffectAsTold) {
  const Server& server = GetParam();
  if (!may_unshare()) GTEST_SKIP() << "needs root, to make namespaces";
  const std::string etc = std::string("/etc/") + server.etc;
  if (::access(etc.c_str(), F_OK) != 0) GTEST_SKIP() << etc << " is not there";
  if (::access(server.program, X_OK) != 0) GTEST_SKIP() << server.program << " is not installed";
  Running running(server);
  ASSERT_EQ(running.await(server.usual), server.usual);
  const Result<config::Edit> edit = running.edit(kWanted);
  ASSERT_TRUE(edit) << edit.error().message();
  ASSERT_FALSE(edit->files.empty()) << edit->option << edit->note;
  EXPECT_EQ(edit->takes_effect.effect, server.effect);
  running.apply(*edit);
  EXPECT_EQ(running.await(kWanted), kWanted);
  const Result<config::Edit> again = running.edit(kWanted);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_TRUE(again->files.empty()) << "it is written already";
}

INSTANTIATE_TEST_SUITE_P(Debian, ServerConfigTest, testing::ValuesIn(kServers),
                         [](const auto& server) { return std::string(server.param.name); });

}  // namespace
}  // namespace acceptq::test
