#include "agent/local_socket.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/own_folder.h"

namespace acceptq::agent {
namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::int64_t kPatienceNs = 5'000'000'000;

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(ErrorCode::kMalformed,
                fmt::format("socket {}: a path of at most {} bytes is needed", path,
                            sizeof address.sun_path - 1));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

const sockaddr* generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

// Of an agent that ended without taking it away.
Status remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode)) {
    return fail(ErrorCode::kMalformed,
                fmt::format("socket {}: there is a file, which is no socket", path));
  }
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe.valid()) return fail_errno(errno, "cannot make a Unix socket");
  if (::connect(probe.get(), generic(address), sizeof address) == 0 || errno == EAGAIN) {
    return fail(ErrorCode::kIo,
                fmt::format("socket {}: another agent serves it; end that one, or set another "
                            "path (socket)",
                            path));
  }
  if (::unlink(path.c_str()) != 0) return fail_errno(errno, "cannot remove " + path);
  return {};
}

}  // namespace

Result<std::unique_ptr<LocalSocket>> LocalSocket::start(const std::string& path,
                                                        HttpRoutes routes) {
  const Result<sockaddr_un> address = address_of(path);
  if (!address) return fail(address.error());
  const std::size_t slash = path.rfind('/');
  if (slash != std::string::npos && slash > 0) {
    if (const Status made = make_own_folder(path.substr(0, slash)); !made) {
      return fail(made.error());
    }
  }
  if (const Status removed = remove_stale(path, *address); !removed) return fail(removed.error());
  UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  UniqueFd waker(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!listener.valid() || !waker.valid()) return fail_errno(errno, "cannot make a Unix socket");
  // Nobody else gets in between bind() and chmod(): the folder is its user's alone.
  constexpr int kBacklog = 16;
  if (::bind(listener.get(), generic(*address), sizeof *address) != 0 ||
      ::chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0 || ::listen(listener.get(), kBacklog) != 0) {
    return fail_errno(errno, "cannot listen on " + path);
  }
  return std::unique_ptr<LocalSocket>(
      new LocalSocket(path, std::move(listener), std::move(waker), std::move(routes)));
}

LocalSocket::LocalSocket(std::string path, UniqueFd listener, UniqueFd waker, HttpRoutes routes)
    : path_(std::move(path)),
      listener_(std::move(listener)),
      waker_(std::move(waker)),
      answerer_(std::move(routes), {}),
      thread_([this] { serve(); }) {}

LocalSocket::~LocalSocket() {
  const std::uint64_t one = 1;
  static_cast<void>(::write(waker_.get(), &one, sizeof one));
  thread_.join();
  ::unlink(path_.c_str());
}

bool LocalSocket::wait_for(const UniqueFd& fd, short events, std::int64_t deadline_ns) const {
  while (true) {
    const std::int64_t left_ms = (deadline_ns - monotonic_ns()) / kNsPerMs;
    if (left_ms <= 0) return false;
    std::array<pollfd, 2> polled{{{.fd = fd.get(), .events = events, .revents = 0},
                                  {.fd = waker_.get(), .events = POLLIN, .revents = 0}}};
    const auto timeout = std::min<std::int64_t>(left_ms, std::numeric_limits<int>::max());
    const int ready = ::poll(polled.data(), polled.size(), static_cast<int>(timeout));
    if (ready < 0 && errno != EINTR) return false;
    if (polled[1].revents != 0) return false;
    if (ready > 0 && polled[0].revents != 0) return true;
  }
}

void LocalSocket::serve() {
  while (wait_for(listener_, POLLIN, std::numeric_limits<std::int64_t>::max())) {
    const UniqueFd client(
        ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (client.valid()) answer(client);
  }
}

void LocalSocket::answer(const UniqueFd& client) {
  const std::int64_t deadline_ns = monotonic_ns() + kPatienceNs;
  constexpr std::size_t kLargestRequest = 4096;
  std::string received;
  std::size_t length = 0;
  while (length == 0) {
    std::array<char, kLargestRequest> buffer;
    if (!wait_for(client, POLLIN, deadline_ns)) return;
    const ssize_t count = ::recv(client.get(), buffer.data(), buffer.size(), 0);
    if (count <= 0) return;
    received.append(buffer.data(), static_cast<std::size_t>(count));
    length = request_length(received);
    if (length == 0 && received.size() >= kLargestRequest) return;
  }
  const HttpAnswer answer = answerer_.answer(std::string_view(received).substr(0, length), true);
  const std::int64_t taken_by_ns = monotonic_ns() + kPatienceNs;
  const std::string empty;
  for (const std::string* part : {&answer.head, answer.body ? answer.body.get() : &empty}) {
    std::string_view rest = *part;
    while (!rest.empty()) {
      if (!wait_for(client, POLLOUT, taken_by_ns)) return;
      const ssize_t count = ::send(client.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
      if (count <= 0) return;
      rest.remove_prefix(static_cast<std::size_t>(count));
    }
  }
}

}  // namespace acceptq::agent
