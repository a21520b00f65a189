#include "collect/netlink/inet_diag.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "collect/netlink/attributes.h"

namespace acceptq::collect::netlink {
namespace {

// linux/sock_diag.h and linux/inet_diag.h of Debian 12 have these; older headers do not.
constexpr std::size_t kMeminfoDrops = 8;  // SK_MEMINFO_DROPS
constexpr std::uint16_t kUlpName = 1;     // INET_ULP_INFO_NAME

std::string_view as_text(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return text.substr(0, text.find('\0'));
}

bool is_mptcp(std::span<const std::byte> ulp) {
  bool mptcp = false;
  const Status walked = for_each_attribute(ulp, [&](std::uint16_t type, auto payload) {
    if (type == kUlpName) mptcp = as_text(payload) == "mptcp";
  });
  return walked.has_value() && mptcp;
}

void take_attribute(std::uint16_t type, std::span<const std::byte> payload,
                    facts::Listener& listener) {
  switch (type) {
    case INET_DIAG_SKMEMINFO:
      listener.drops = read_as<std::uint32_t>(payload, kMeminfoDrops * 4);
      break;
    case INET_DIAG_SKV6ONLY:
      if (const auto only = read_as<std::uint8_t>(payload)) listener.v6only = *only != 0;
      break;
    case INET_DIAG_CGROUP_ID:
      // 0: the socket's cgroup is not known to this hierarchy.
      listener.cgroup_id = read_as<std::uint64_t>(payload);
      if (listener.cgroup_id == 0U) listener.cgroup_id.reset();
      break;
    case INET_DIAG_ULP_INFO:
      listener.mptcp = is_mptcp(payload);
      break;
    default:
      break;
  }
}

}  // namespace

Result<facts::Listener> parse_inet_diag(std::span<const std::byte> payload) {
  const std::optional<inet_diag_msg> message = read_as<inet_diag_msg>(payload);
  if (!message) return fail(ErrorCode::kMalformed, "sock_diag: a message is too short");
  facts::Listener listener;
  const auto* source = reinterpret_cast<const std::uint8_t*>(&message->id.idiag_src);
  if (message->idiag_family == AF_INET) {
    listener.address = facts::IpAddress::v4(std::span<const std::uint8_t, 4>(source, 4));
  } else if (message->idiag_family == AF_INET6) {
    listener.address = facts::IpAddress::v6(std::span<const std::uint8_t, 16>(source, 16));
  } else {
    return fail(ErrorCode::kMalformed, "sock_diag: a TCP socket of an unknown address family");
  }
  listener.port = ntohs(message->id.idiag_sport);
  if (message->id.idiag_if != 0) listener.ifindex = message->id.idiag_if;
  listener.cookie =
      SocketCookie(std::uint64_t{message->id.idiag_cookie[1]} << 32 | message->id.idiag_cookie[0]);
  listener.inode = SocketInode(message->idiag_inode);
  listener.uid = message->idiag_uid;
  listener.accept_queue_len = QueueLength(message->idiag_rqueue);
  listener.limit = QueueLimit(message->idiag_wqueue);
  const Status walked = for_each_attribute(
      payload.subspan(std::min(NLMSG_ALIGN(sizeof(inet_diag_msg)), payload.size())),
      [&](std::uint16_t type, auto bytes) { take_attribute(type, bytes, listener); });
  if (!walked) return fail(walked.error());
  return listener;
}

}  // namespace acceptq::collect::netlink
