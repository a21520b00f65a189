#include "apply/reload.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "apply/held_process.h"
#include "base/bytes.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "base/unique_fd.h"

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

namespace acceptq::apply {
namespace {

std::string name_of(const facts::ReloadStep& step) {
  return printable(step.name) + " (pid " + std::to_string(step.pid.value()) + ")";
}

std::string proc_file(const facts::ReloadStep& step, const char* name) {
  return "/proc/" + std::to_string(step.pid.value()) + "/" + name;
}

// Holds the process of the step, or fails with kNotFound.
Result<UniqueFd> open_process(const facts::ReloadStep& step) {
  UniqueFd process = hold_process(step.pid);
  if (!process.valid()) return fail_errno(errno, name_of(step));
  if (is_the_process(process.get(), step.pid, step.start_ticks)) return process;
  return fail(ErrorCode::kNotFound, name_of(step) + " has ended");
}

// Effective user and group of the process.
struct User {
  uid_t uid = 0;
  gid_t gid = 0;
};

// Of real, effective, saved and file system's.
std::optional<std::uint32_t> effective(std::string_view status, std::string_view field) {
  const std::size_t at = status.find(field);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view rest = status.substr(at + field.size());
  const std::vector<std::string_view> words = split_blank(next_line(rest));
  return words.size() > 1 ? parse_int<std::uint32_t>(words[1]) : std::nullopt;
}

Result<User> user_of(const facts::ReloadStep& step) {
  const Result<std::string> status = read_file(proc_file(step, "status"), 65536);
  if (!status) return fail(status.error());
  const auto uid = effective(*status, "\nUid:");
  const auto gid = effective(*status, "\nGid:");
  if (!uid || !gid) return fail(ErrorCode::kMalformed, proc_file(step, "status") + " has no Uid");
  return User{.uid = *uid, .gid = *gid};
}

// As a shell says it.
constexpr int kNotStarted = 126;
constexpr int kNoProgram = 127;

[[noreturn]] void run_check(const std::vector<std::string>& words, const User& user, int output) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::setpgid(0, 0);
  const bool is_other = user.uid != ::geteuid();
  if (is_other &&
      (::setgroups(0, nullptr) != 0 || ::setgid(user.gid) != 0 || ::setuid(user.uid) != 0)) {
    ::_exit(kNotStarted);
  }
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null < 0 || ::dup2(null, 0) < 0 || ::dup2(output, 1) < 0 || ::dup2(output, 2) < 0 ||
      ::chdir("/") != 0) {
    ::_exit(kNotStarted);
  }
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  // execvp() changes none of them.
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast)
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  // NOLINTBEGIN(concurrency-mt-unsafe): in a child of one thread
  ::clearenv();
  ::setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
  ::setenv("LC_ALL", "C", 1);
  // NOLINTEND(concurrency-mt-unsafe)
  ::execvp(arguments[0], arguments.data());
  ::_exit(kNoProgram);
}

// The end of what comes from `fd` until it is closed. False at the deadline.
bool read_until_closed(int fd, std::int64_t deadline_ns, std::string& text) {
  constexpr std::size_t kKept = 4096;
  for (;;) {
    const std::int64_t left_ms = (deadline_ns - monotonic_ns()) / 1'000'000;
    if (left_ms <= 0) return false;
    pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
    const int polled = ::poll(&ready, 1, static_cast<int>(left_ms));
    if (polled <= 0) continue;
    std::array<char, 4096> bytes{};
    const ssize_t size = ::read(fd, bytes.data(), bytes.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return true;
    text.append(bytes.data(), static_cast<std::size_t>(size));
    if (text.size() > kKept) text.erase(0, text.size() - kKept);
  }
}

// How the child ended; empty: not by the deadline.
std::optional<int> wait_until(pid_t child, std::int64_t deadline_ns) {
  for (;;) {
    int status = 0;
    const pid_t reaped = ::waitpid(child, &status, WNOHANG);
    if (reaped == child) return status;
    if ((reaped < 0 && errno != EINTR) || monotonic_ns() >= deadline_ns) return std::nullopt;
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }
}

// The last lines of what a program said, as one.
std::string last_words(std::string_view text) {
  constexpr std::size_t kLines = 3;
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::string_view line = trim(next_line(text));
    if (!line.empty()) lines.push_back(printable(line));
  }
  std::string words;
  for (std::size_t i = lines.size() - std::min(kLines, lines.size()); i < lines.size(); ++i) {
    words += (words.empty() ? "" : "; ") + lines[i];
  }
  // The sentence that it stands in has an end of its own.
  while (words.ends_with('.')) words.pop_back();
  return words;
}

}  // namespace

std::uint64_t caught_signals(std::string_view status) {
  constexpr std::string_view kField = "\nSigCgt:";
  const std::size_t at = status.find(kField);
  if (at == std::string_view::npos) return 0;
  std::string_view rest = status.substr(at + kField.size());
  return parse_int<std::uint64_t>(trim(next_line(rest)), 16).value_or(0);
}

Status check_configuration(const facts::ReloadStep& step, std::chrono::milliseconds deadline) {
  if (step.check.empty()) return {};
  const Result<User> user = user_of(step);
  if (!user) return fail(user.error());
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno(errno, "cannot make a pipe");
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const std::int64_t deadline_ns = monotonic_ns() + std::int64_t{deadline.count()} * 1'000'000;
  const pid_t child = ::fork();
  if (child < 0) return fail_errno(errno, "cannot start " + step.check.front());
  if (child == 0) run_check(step.check, *user, writer.get());
  writer.reset();
  std::string said;
  const std::string& program = step.check.front();
  std::optional<int> status;
  if (read_until_closed(reader.get(), deadline_ns, said)) status = wait_until(child, deadline_ns);
  if (!status) {
    ::kill(-child, SIGKILL);
    constexpr std::chrono::milliseconds kToEnd{1000};
    reap_within(child, kToEnd);
    return fail(ErrorCode::kInterrupted, program + " did not come to an end");
  }
  if (WIFEXITED(*status) && WEXITSTATUS(*status) == 0) return {};
  if (WIFEXITED(*status) && WEXITSTATUS(*status) == kNoProgram) {
    return fail(ErrorCode::kNotFound, "cannot run " + program + " to check the configuration");
  }
  return fail(ErrorCode::kMalformed, program + " finds a fault: " + last_words(said));
}

Status signal_process(const facts::ReloadStep& step) {
  const Result<UniqueFd> process = open_process(step);
  if (!process) return fail(process.error());
  const Result<std::string> status = read_file(proc_file(step, "status"), 65536);
  if (!status) return fail(status.error());
  constexpr int kSignals = 64;
  const auto bit = step.signal > 0 && step.signal <= kSignals
                       ? std::uint64_t{1} << static_cast<unsigned>(step.signal - 1)
                       : 0;
  if ((caught_signals(*status) & bit) == 0) {
    return fail(ErrorCode::kUnsupported, name_of(step) + " does not catch signal " +
                                             std::to_string(step.signal) + ", which would end it");
  }
  if (::syscall(SYS_pidfd_send_signal, process->get(), step.signal, nullptr, 0U) != 0) {
    return fail_errno(errno, "cannot signal " + name_of(step));
  }
  return {};
}

bool is_alive(const facts::ReloadStep& step) { return open_process(step).has_value(); }

}  // namespace acceptq::apply
