#include "apply/listen_call.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <type_traits>

#include "apply/held_process.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/unique_fd.h"

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

namespace acceptq::apply {
namespace {

constexpr int kSoNetnsCookie = 71;  // SO_NETNS_COOKIE, asm-generic/socket.h

// Through the pipe as they are.
static_assert(std::is_trivially_copyable_v<ListenOutcome>);

template <typename T>
bool get_option(int fd, int option, T& value) {
  socklen_t size = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0;
}

bool get_address(int fd, SocketSeen& seen) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return false;
  if (storage.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &storage, sizeof in);
    std::array<std::uint8_t, 4> bytes{};
    std::memcpy(bytes.data(), &in.sin_addr, bytes.size());
    seen.address = facts::IpAddress::v4(bytes);
    seen.port = ntohs(in.sin_port);
  } else if (storage.ss_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, &storage, sizeof in);
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &in.sin6_addr, bytes.size());
    seen.address = facts::IpAddress::v6(bytes);
    seen.port = ntohs(in.sin6_port);
  }
  return true;
}

// False, with errno, for what is no socket.
bool look_at(int fd, SocketSeen& seen) {
  struct stat status{};
  int listening = 0;
  std::uint64_t cookie = 0;
  std::uint64_t netns_cookie = 0;
  if (!get_option(fd, SO_DOMAIN, seen.domain) || !get_option(fd, SO_TYPE, seen.type) ||
      !get_option(fd, SO_PROTOCOL, seen.protocol) || !get_option(fd, SO_ACCEPTCONN, listening) ||
      !get_option(fd, SO_COOKIE, cookie) || ::fstat(fd, &status) != 0 || !get_address(fd, seen)) {
    return false;
  }
  seen.listening = listening != 0;
  seen.cookie = SocketCookie(cookie);
  seen.inode = SocketInode(status.st_ino);
  if (get_option(fd, kSoNetnsCookie, netns_cookie)) seen.netns_cookie = netns_cookie;
  return true;
}

// The child's work; it tells of every step before it takes it, since any may hang.
class Child {
 public:
  Child(int report, const SocketMeant& meant, const Holder& holder)
      : report_(report), meant_(meant), holder_(holder) {}

  void run(int backlog) {
    step(Step::kOpenProcess);
    const UniqueFd process = hold_process(holder_.pid);
    if (!process.valid()) return failed(errno);
    step(Step::kKnowProcess);
    if (!is_the_process(process.get())) return;
    step(Step::kTakeDescriptor);
    const UniqueFd socket(
        static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), holder_.fd, 0U)));
    if (!socket.valid()) return failed(errno);
    step(Step::kVerify);
    if (!is_the_socket(socket.get())) return;
    step(Step::kListen);
    if (::listen(socket.get(), backlog) != 0) return failed(errno);
    step(Step::kVerifyAgain);
    if (!is_the_socket(socket.get())) return;
    step(Step::kDone);
  }

 private:
  void step(Step step) {
    outcome_.step = step;
    tell();
  }
  void failed(int error) {
    outcome_.sys_errno = error;
    tell();
  }
  void tell() const {
    static_cast<void>(
        !::write(report_, &outcome_, sizeof outcome_));  // the reader may have given up
  }

  bool is_the_process(int pidfd) {
    if (holder_.start_ticks == 0) return true;  // the socket's cookie has to do
    if (apply::is_the_process(pidfd, holder_.pid, holder_.start_ticks)) return true;
    failed(ESRCH);
    return false;
  }

  bool is_the_socket(int fd) {
    SocketSeen seen;
    if (!look_at(fd, seen)) {
      failed(errno);
      return false;
    }
    outcome_.difference = difference(meant_, seen);
    if (outcome_.difference == Difference::kNone) return true;
    tell();
    return false;
  }

  int report_;
  const SocketMeant& meant_;
  const Holder& holder_;
  ListenOutcome outcome_;
};

// The last that the child told. False where it was still at work at the deadline.
bool read_reports(int fd, std::int64_t deadline_ns, ListenOutcome& outcome) {
  for (;;) {
    const std::int64_t left_ms = (deadline_ns - monotonic_ns()) / 1'000'000;
    if (left_ms <= 0) return false;
    pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
    const int polled = ::poll(&ready, 1, static_cast<int>(left_ms));
    if (polled < 0 && errno != EINTR) return false;
    if (polled <= 0) continue;
    ListenOutcome next;
    // Less than PIPE_BUF: whole, or not at all.
    const ssize_t size = ::read(fd, &next, sizeof next);
    if (size == static_cast<ssize_t>(sizeof next)) {
      outcome = next;
    } else if (size >= 0 || errno != EINTR) {
      return true;
    }
  }
}

}  // namespace

ListenOutcome listen_on(const SocketMeant& meant, const Holder& holder, int backlog,
                        std::chrono::milliseconds deadline) {
  ListenOutcome outcome;
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    outcome.sys_errno = errno;
    return outcome;
  }
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const std::int64_t deadline_ns = monotonic_ns() + std::int64_t{deadline.count()} * 1'000'000;
  const pid_t child = ::fork();
  if (child < 0) {
    outcome.sys_errno = errno;
    return outcome;
  }
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::signal(SIGPIPE, SIG_IGN);
    Child(writer.get(), meant, holder).run(backlog);
    ::_exit(0);
  }
  writer.reset();
  outcome.hung = !read_reports(reader.get(), deadline_ns, outcome);
  if (outcome.hung) ::kill(child, SIGKILL);
  constexpr std::chrono::milliseconds kToEnd{1000};
  reap_within(child, kToEnd);
  return outcome;
}

}  // namespace acceptq::apply
