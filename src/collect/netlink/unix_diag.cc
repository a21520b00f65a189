#include "collect/netlink/unix_diag.h"

#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "collect/netlink/attributes.h"

namespace acceptq::collect::netlink {
namespace {

constexpr std::uint16_t kUnixDiagUid = 7;  // UNIX_DIAG_UID, Linux 5.3

std::string socket_name(std::span<const std::byte> bytes) {
  std::string name(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!name.empty() && name.front() == '\0') {
    std::ranges::replace(name, '\0', '@');
  } else {
    name.resize(std::min(name.size(), name.find('\0')));
  }
  return name;
}

}  // namespace

Result<std::optional<facts::Listener>> parse_unix_diag(std::span<const std::byte> payload) {
  const std::optional<unix_diag_msg> message = read_as<unix_diag_msg>(payload);
  if (!message) return fail(ErrorCode::kMalformed, "unix_diag: a message is too short");
  facts::Listener listener;
  listener.protocol = facts::Protocol::kUnix;
  listener.inode = SocketInode(message->udiag_ino);
  listener.cookie =
      SocketCookie(std::uint64_t{message->udiag_cookie[1]} << 32 | message->udiag_cookie[0]);
  const Status walked = for_each_attribute(
      payload.subspan(std::min(NLMSG_ALIGN(sizeof(unix_diag_msg)), payload.size())),
      [&](std::uint16_t type, auto bytes) {
        if (type == UNIX_DIAG_NAME) {
          listener.path = socket_name(bytes);
        } else if (type == UNIX_DIAG_RQLEN) {
          if (const auto queue = read_as<unix_diag_rqlen>(bytes)) {
            listener.accept_queue_len = QueueLength(queue->udiag_rqueue);
            listener.limit = QueueLimit(queue->udiag_wqueue);
          }
        } else if (type == kUnixDiagUid) {
          listener.uid = read_as<std::uint32_t>(bytes);
        }
      });
  if (!walked) return fail(walked.error());
  if (message->udiag_state != TCP_LISTEN || message->udiag_type != SOCK_STREAM) {
    return std::optional<facts::Listener>();
  }
  return std::optional<facts::Listener>(std::move(listener));
}

}  // namespace acceptq::collect::netlink
