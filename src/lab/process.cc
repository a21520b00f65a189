#include "lab/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "base/clock.h"
#include "base/text.h"
#include "base/unique_fd.h"

namespace acceptq::lab {
namespace {

constexpr auto kPoll = std::chrono::milliseconds(50);

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Result<Pipe> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return fail_errno(errno, "pipe2");
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

// In the child: an ignored signal stays ignored over exec, and the sandbox ignores SIGINT.
void default_signals() {
  for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM}) {
    std::signal(signal, SIG_DFL);
  }
}

// In the child: exec with the first three descriptors alone, or tell the parent through `report`
// what failed. Whoever called acceptq may have left others open, which would count for a server's
// limit.
[[noreturn]] void become(const std::vector<std::string>& command, int report) {
  // Linux 5.11; on an older one they stay.
  static_cast<void>(::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC));
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  ::execvp(arguments[0], arguments.data());
  const int error = errno;
  static_cast<void>(!::write(report, &error, sizeof error));
  ::_exit(127);
}

[[noreturn]] void give_up(int report) {
  const int error = errno;
  static_cast<void>(!::write(report, &error, sizeof error));
  ::_exit(127);
}

// The errno that the child reported, 0 once it has been executed.
int wait_for_exec(int report) {
  int error = 0;
  ssize_t got = 0;
  do {
    got = ::read(report, &error, sizeof error);
  } while (got < 0 && errno == EINTR);
  return got == static_cast<ssize_t>(sizeof error) ? error : 0;
}

std::string last_line(std::string_view text) {
  text = trim(text);
  const std::size_t newline = text.rfind('\n');
  return std::string(newline == std::string_view::npos ? text : text.substr(newline + 1));
}

}  // namespace

Result<pid_t> spawn(const SpawnOptions& options) {
  Result<Pipe> report = make_pipe();
  if (!report) return fail(report.error());
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno(errno, "fork");
  if (pid == 0) {
    const int channel = report->write_end.get();
    ::setsid();
    default_signals();
    const char* output = options.output_path.empty() ? "/dev/null" : options.output_path.c_str();
    const UniqueFd in(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const UniqueFd out(::open(output, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    if (!in.valid() || !out.valid()) give_up(channel);
    if (::dup2(in.get(), 0) < 0 || ::dup2(out.get(), 1) < 0 || ::dup2(out.get(), 2) < 0) {
      give_up(channel);
    }
    for (const std::string& path : options.cgroup_procs) {
      const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
      if (!file.valid() || ::write(file.get(), "0", 1) != 1) give_up(channel);
    }
    if (options.netns_fd >= 0 && ::setns(options.netns_fd, CLONE_NEWNET) != 0) give_up(channel);
    if (options.open_files) {
      const rlimit limit{*options.open_files, *options.open_files};
      if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) give_up(channel);
    }
    for (const auto& [name, value] : options.environment) {
      ::setenv(name.c_str(), value.c_str(), 1);
    }
    if (::chdir(options.directory.c_str()) != 0) give_up(channel);
    become(options.command, channel);
  }
  report->write_end.reset();
  if (const int error = wait_for_exec(report->read_end.get()); error != 0) {
    ::waitpid(pid, nullptr, 0);
    return fail_errno(error, "starting " + options.command.front());
  }
  return pid;
}

Result<std::string> run_command(const std::vector<std::string>& command, int netns_fd,
                                double seconds, const std::string& input) {
  Result<Pipe> in = make_pipe();
  Result<Pipe> out = make_pipe();
  Result<Pipe> err = make_pipe();
  Result<Pipe> report = make_pipe();
  for (const Result<Pipe>* pipe : {&in, &out, &err, &report}) {
    if (!*pipe) return fail(pipe->error());
  }
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno(errno, "fork");
  if (pid == 0) {
    const int channel = report->write_end.get();
    ::setsid();
    default_signals();
    if (::dup2(in->read_end.get(), 0) < 0 || ::dup2(out->write_end.get(), 1) < 0 ||
        ::dup2(err->write_end.get(), 2) < 0) {
      give_up(channel);
    }
    if (netns_fd >= 0 && ::setns(netns_fd, CLONE_NEWNET) != 0) give_up(channel);
    become(command, channel);
  }
  in->read_end.reset();
  out->write_end.reset();
  err->write_end.reset();
  report->write_end.reset();
  if (const int error = wait_for_exec(report->read_end.get()); error != 0) {
    ::waitpid(pid, nullptr, 0);
    return fail_errno(error, "starting " + command.front());
  }
  // Short inputs only: they fit the pipe, so this never blocks.
  static_cast<void>(!::write(in->write_end.get(), input.data(), input.size()));
  in->write_end.reset();

  std::string texts[2];
  pollfd watched[2] = {{out->read_end.get(), POLLIN, 0}, {err->read_end.get(), POLLIN, 0}};
  const std::int64_t deadline = monotonic_ns() + static_cast<std::int64_t>(seconds * 1e9);
  bool late = false;
  while (watched[0].fd >= 0 || watched[1].fd >= 0) {
    const std::int64_t left_ms = (deadline - monotonic_ns()) / 1'000'000;
    late = left_ms <= 0;
    if (late) break;
    if (::poll(watched, 2, static_cast<int>(left_ms)) < 0 && errno != EINTR) break;
    for (std::size_t i = 0; i < 2; ++i) {
      if (watched[i].fd < 0 || watched[i].revents == 0) continue;
      std::array<char, 8192> buffer{};
      const ssize_t got = ::read(watched[i].fd, buffer.data(), buffer.size());
      if (got > 0) texts[i].append(buffer.data(), static_cast<std::size_t>(got));
      if (got == 0) watched[i].fd = -1;
    }
  }
  if (late) ::kill(-pid, SIGKILL);
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (late) return fail(ErrorCode::kInterrupted, command.front() + " took too long");
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    std::string words;
    for (const std::string& word : command) words += (words.empty() ? "" : " ") + word;
    return fail(ErrorCode::kIo, "\"" + words + "\" failed: " + last_line(texts[1]));
  }
  return texts[0];
}

bool eventually(const std::function<bool()>& condition, double seconds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(kPoll);
  }
  return true;
}

bool end_group(pid_t leader, int signal, double seconds) {
  ::kill(-leader, signal);
  return eventually([leader] { return ::waitpid(leader, nullptr, WNOHANG) != 0; }, seconds);
}

bool group_runs(pid_t leader) {
  pid_t reaped = 0;
  do {
    reaped = ::waitpid(-leader, nullptr, WNOHANG);
  } while (reaped > 0);
  return ::kill(-leader, 0) == 0;
}

std::string substitute(std::string text, const std::map<std::string, std::string>& values) {
  for (const auto& [name, value] : values) {
    const std::string mark = "@" + name + "@";
    for (std::size_t at = text.find(mark); at != std::string::npos;
         at = text.find(mark, at + value.size())) {
      text.replace(at, mark.size(), value);
    }
  }
  return text;
}

}  // namespace acceptq::lab
