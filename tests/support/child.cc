#include "support/child.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "base/unique_fd.h"
#include "support/require.h"

namespace acceptq::test {
namespace {

// In the child: never returns.
[[noreturn]] void execute(const std::vector<std::string>& argv, int netns_fd, uid_t uid) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (netns_fd >= 0 && ::setns(netns_fd, CLONE_NEWNET) != 0) ::_exit(126);
  if (uid != 0 && (::setresgid(uid, uid, uid) != 0 || ::setresuid(uid, uid, uid) != 0)) {
    ::_exit(126);
  }
  std::vector<char*> raw;
  raw.reserve(argv.size() + 1);
  for (const std::string& argument : argv) raw.push_back(const_cast<char*>(argument.c_str()));
  raw.push_back(nullptr);
  ::execvp(raw.front(), raw.data());
  ::_exit(127);
}

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Pipe make_pipe() {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) ::abort();
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// Reads both pipes until both are closed.
void drain(const Pipe& out, const Pipe& err, Output& output) {
  std::array<pollfd, 2> polled = {pollfd{out.read_end.get(), POLLIN, 0},
                                  pollfd{err.read_end.get(), POLLIN, 0}};
  const std::array<std::string*, 2> sinks = {&output.out, &output.err};
  std::size_t open = polled.size();
  while (open > 0) {
    if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) return;
    for (std::size_t i = 0; i < polled.size(); ++i) {
      if (polled[i].fd < 0 || polled[i].revents == 0) continue;
      std::array<char, 65536> chunk;
      const ssize_t n = ::read(polled[i].fd, chunk.data(), chunk.size());
      if (n > 0) {
        sinks[i]->append(chunk.data(), static_cast<std::size_t>(n));
      } else {
        polled[i].fd = -1;
        --open;
      }
    }
  }
}

}  // namespace

Output run_program(const std::vector<std::string>& argv, int netns_fd, uid_t uid) {
  Pipe out = make_pipe();
  Pipe err = make_pipe();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(out.write_end.get(), STDOUT_FILENO);
    ::dup2(err.write_end.get(), STDERR_FILENO);
    execute(argv, netns_fd, uid);
  }
  out.write_end.reset();
  err.write_end.reset();
  Output output;
  drain(out, err, output);
  int status = 0;
  ::waitpid(pid, &status, 0);
  output.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return output;
}

Background::Background(const std::vector<std::string>& argv, int netns_fd) : pid_(::fork()) {
  if (pid_ == 0) {
    ::setpgid(0, 0);
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!null.valid()) ::_exit(126);
    ::dup2(null.get(), STDIN_FILENO);
    ::dup2(null.get(), STDOUT_FILENO);
    ::dup2(null.get(), STDERR_FILENO);
    execute(argv, netns_fd, 0);
  }
  ::setpgid(pid_, pid_);
}

Background::~Background() {
  signal_group(SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Background::signal_group(int signal) const { ::kill(-pid_, signal); }

Forked::Forked(const std::function<void()>& body) {
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  require(pid_ >= 0, "fork");
  if (pid_ != 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() == parent) body();
  ::_exit(0);
}

void Forked::end() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(std::exchange(pid_, -1), nullptr, 0);
}

}  // namespace acceptq::test
