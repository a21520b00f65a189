#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string_view>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "collect/config_files.h"
#include "collect/procfs/process.h"
#include "config/servers.h"
#include "config/unified_diff.h"
#include "running_server.h"
#include "support/require.h"

namespace acceptq::test {
namespace {

constexpr std::chrono::seconds kPatience{20};

}  // namespace

RunningServer::RunningServer(const ServerCase& server,
                             const std::map<std::string, std::string>& files)
    : server_(server) {
  ns_.set("net/core/somaxconn", "16384");
  if (*server.etc != '\0') {
    const std::string from = std::string("/etc/") + server.etc;
    std::filesystem::create_directories(
        std::filesystem::path(tree_.path("etc/") + server.etc).parent_path());
    const Output copied = run_program({"cp", "-a", from, tree_.path("etc/") + server.etc});
    require(copied.exit_code == 0, "cp");
  }
  for (const auto& [path, text] : files) write(path, text);
  start();
}

void RunningServer::start() {
  std::string script = "set -e; mount -t tmpfs none /run; mount -t tmpfs none /var/log;";
  if (*server_.etc != '\0') {
    script += "mount --bind " + tree_.path("etc/") + server_.etc + " /etc/" + server_.etc + "; ";
  }
  script += std::string(server_.prepare) + "; ";
  std::string command = std::string(server_.start) + " " + option_;
  if (server_.arguments != nullptr) command += " " + std::string(server_.arguments);
  script += server_.child ? command + " & wait" : "exec " + command;
  process_.reset();
  // A child of the old one may hold the address for longer (Varnish's does).
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (limit() && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  process_ = std::make_unique<Background>(
      std::vector<std::string>{"unshare", "-m", "--propagation", "private", "sh", "-c", script},
      ns_.fd());
}

std::optional<std::uint32_t> RunningServer::limit() const {
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

std::optional<std::uint32_t> RunningServer::await(std::uint32_t wanted) const {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  std::optional<std::uint32_t> now = limit();
  while (now != wanted && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    now = limit();
  }
  return now;
}

Result<config::Edit> RunningServer::edit(std::uint32_t value) const {
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
  return config::plan_edit(*how, wish, [&](const std::string& name) { return files->read(name); });
}

void RunningServer::apply(const config::Edit& edit) {
  for (const config::FileEdit& file : edit.files) patch(config::unified_diff(file));
  if (!edit.option.empty()) option_ = edit.option;
  if (edit.takes_effect.effect == config::Effect::kRestart) return start();
  run(config::shell_line(edit.check) + " && " + config::shell_line(edit.takes_effect));
}

void RunningServer::patch(const std::string& text) const {
  tree_.write("the.diff", text);
  const Output patched =
      run_program({"patch", "-p1", "-d", tree_.root(), "-i", tree_.path("the.diff")});
  EXPECT_EQ(patched.exit_code, 0) << patched.out << patched.err << text;
}

void RunningServer::run(const std::string& command) const {
  const Output output = run_program(
      {"nsenter", "-t", std::to_string(process_->pid()), "-m", "-n", "sh", "-c", command});
  EXPECT_EQ(output.exit_code, 0) << command << output.out << output.err;
}

std::string RunningServer::server_pid() const {
  std::string shell = std::to_string(process_->pid());
  if (!server_.child) return shell;
  const auto children = read_file("/proc/" + shell + "/task/" + shell + "/children");
  require(children && !split_blank(*children).empty(), "the shell's child");
  return std::string(split_blank(*children).back());
}

bool RunningServer::is_wanted(std::string_view local) const {
  const bool v6 = local.starts_with('[');
  return v6 == (std::string_view(server_.address).find(':') != std::string_view::npos) ||
         local.starts_with('*');
}

}  // namespace acceptq::test
