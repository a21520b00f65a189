#include "lab/sandbox.h"

#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <vector>

#include "base/unique_fd.h"

namespace acceptq::lab {
namespace {

constexpr std::size_t kLargest = std::size_t{64} << 10;
constexpr int kCannotStart = 120;

bool set_up_mounts() {
  return ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0 &&
         ::mount("acceptq-lab", kSandboxFolder, "tmpfs", 0, "mode=0755") == 0;
}

// PID 1 of the sandbox: when it ends, the kernel kills all that is left in it.
[[noreturn]] void run_init(const Channel& channel,
                           const std::function<void(const Channel&)>& inside) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::signal(SIGINT, SIG_IGN);  // Ctrl-C is for the process outside
  if (!set_up_mounts()) ::_exit(kCannotStart);
  inside(channel);
  ::_exit(0);
}

// Between this process and the sandbox's PID 1, since unshare() puts only children into a new PID
// namespace.
[[noreturn]] void run_keeper(pid_t parent, const Channel& channel,
                             const std::function<void(const Channel&)>& inside) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGTERM, SIG_DFL);  // the program's own handlers are for outside
  if (::getppid() != parent || ::unshare(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET) != 0) {
    ::_exit(kCannotStart);
  }
  const pid_t init = ::fork();
  if (init == 0) run_init(channel, inside);
  int status = 0;
  if (init < 0 || ::waitpid(init, &status, 0) != init) ::_exit(kCannotStart);
  ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : kCannotStart);
}

}  // namespace

bool Channel::send(const std::string& message) const {
  return ::send(fd_, message.data(), message.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(message.size());
}

std::string Channel::receive() const {
  std::vector<char> buffer(kLargest);
  ssize_t n = 0;
  do {
    n = ::recv(fd_, buffer.data(), buffer.size(), 0);
  } while (n < 0 && errno == EINTR);
  return n > 0 ? std::string(buffer.data(), static_cast<std::size_t>(n)) : std::string();
}

Status run_in_sandbox(const std::function<void(const Channel&)>& inside,
                      const std::function<bool(const Channel&, const std::string&)>& outside,
                      const std::function<bool()>& stopped) {
  std::array<int, 2> ends{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail_errno(errno, "cannot make a socket pair");
  }
  const UniqueFd here(ends[0]);
  UniqueFd there(ends[1]);
  const pid_t parent = ::getpid();
  const pid_t keeper = ::fork();
  if (keeper < 0) return fail_errno(errno, "cannot start the sandbox");
  if (keeper == 0) {
    ::close(here.get());
    run_keeper(parent, Channel(there.get()), inside);
  }
  there.reset();
  const Channel channel(here.get());
  constexpr int kAskEveryMs = 200;
  while (!stopped()) {
    pollfd polled{.fd = channel.fd(), .events = POLLIN, .revents = 0};
    if (::poll(&polled, 1, kAskEveryMs) <= 0) continue;
    const std::string message = channel.receive();
    if (message.empty() || !outside(channel, message)) break;
  }
  // PDEATHSIG takes the sandbox's PID 1 with the keeper, and the kernel all the rest with that: the
  // line is closed when the last that held it is gone.
  ::kill(keeper, SIGKILL);
  while (!channel.receive().empty()) {
  }
  int status = 0;
  while (::waitpid(keeper, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == kCannotStart) {
    return fail(ErrorCode::kPermission,
                "cannot make the sandbox's namespaces and mounts (the lab needs root)");
  }
  return {};
}

}  // namespace acceptq::lab
