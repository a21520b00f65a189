#include "agent/notify.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "base/text.h"
#include "base/unique_fd.h"

namespace acceptq::agent {

Notifier::Notifier(std::string socket) : socket_(std::move(socket)) {}

Notifier Notifier::from_environment() {
  const char* const socket = std::getenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe)
  return Notifier(socket == nullptr ? "" : socket);
}

Status Notifier::ready() const { return send("READY=1"); }
Status Notifier::stopping() const { return send("STOPPING=1"); }
Status Notifier::watchdog() const { return send("WATCHDOG=1"); }

Status Notifier::reloading(std::int64_t now_ns) const {
  return send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now_ns / 1000));
}

Status Notifier::status(std::string_view text) const {
  std::string line(text);
  std::ranges::replace(line, '\n', ' ');
  return send("STATUS=" + line);
}

Status Notifier::send(std::string_view message) const {
  if (socket_.empty()) return {};
  const auto failed = [this](int err) { return fail_errno(err, "NOTIFY_SOCKET " + socket_); };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_.size() >= sizeof address.sun_path || (socket_[0] != '/' && socket_[0] != '@')) {
    return failed(EINVAL);
  }
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size() +
                                             (socket_[0] == '/' ? 1 : 0));
  // A manager that does not read must not hold the agent up: its watchdog is what ends that.
  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return failed(errno);
  if (::sendto(fd.get(), message.data(), message.size(), MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&address), length) < 0) {
    return failed(errno);
  }
  return {};
}

}  // namespace acceptq::agent
