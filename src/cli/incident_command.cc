#include "cli/incident_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <set>
#include <thread>
#include <vector>

#include "cli/interrupt.h"

namespace acceptq::cli {
namespace {

std::vector<std::string> variables(const facts::Listener* listener) {
  std::set<int> pids;
  if (listener != nullptr) {
    for (const facts::OwnerRef& owner : listener->owners) pids.insert(owner.pid.value());
  }
  const bool known = listener != nullptr;
  return {"ACCEPTQ_LISTENER=" + (known ? facts::listener_key(*listener) : ""),
          "ACCEPTQ_ENDPOINT=" + (known ? facts::listener_endpoint(*listener) : ""),
          "ACCEPTQ_NETNS=" + (known ? std::to_string(listener->netns.value()) : ""),
          fmt::format("ACCEPTQ_PIDS={}", fmt::join(pids, " "))};
}

}  // namespace

Result<IncidentCommand> IncidentCommand::Start(const std::string& command,
                                               const facts::Listener* listener) {
  std::vector<std::string> environment = variables(listener);
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    if (!text.starts_with("ACCEPTQ_")) environment.emplace_back(text);
  }
  std::vector<char*> pointers;
  pointers.reserve(environment.size() + 1);
  for (std::string& variable : environment) pointers.push_back(variable.data());
  pointers.push_back(nullptr);
  std::string shell = "/bin/sh";
  std::string option = "-c";
  std::string text = command;
  char* const arguments[] = {shell.data(), option.data(), text.data(), nullptr};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  pid_t pid = 0;
  const int err = ::posix_spawn(&pid, shell.c_str(), &actions, nullptr, arguments, pointers.data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (err != 0) return fail_errno(err, "cannot run /bin/sh for --exec");
  return IncidentCommand(pid);
}

std::optional<std::string> IncidentCommand::wait() const {
  while (true) {
    int status = 0;
    const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
    if (ended == pid_) {
      if (WIFSIGNALED(status)) return fmt::format("signal {}", WTERMSIG(status));
      if (WEXITSTATUS(status) != 0) return fmt::format("exit status {}", WEXITSTATUS(status));
      return std::nullopt;
    }
    if (ended < 0) return std::nullopt;  // somebody else has reaped it
    if (interrupted()) return fmt::format("it still runs (pid {})", pid_);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace acceptq::cli
