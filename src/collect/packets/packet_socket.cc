#include "collect/packets/packet_socket.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "collect/packets/handshake_filter.h"

namespace acceptq::collect::packets {
namespace {

// When the kernel saw it, since 1970; 0: it does not say.
std::int64_t timestamp_of(msghdr& message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec time{};
    std::memcpy(&time, CMSG_DATA(part), sizeof time);
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
  }
  return 0;
}

}  // namespace

Result<UniqueFd> open_packet_socket(std::span<const std::uint16_t> ports) {
  // Protocol 0 receives nothing yet: first the filter, or unfiltered packets come before it.
  UniqueFd fd(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return fail_errno(errno, "cannot open a packet socket (CAP_NET_RAW)");
  std::vector<sock_filter> instructions = handshake_filter(ports);
  const sock_fprog program{.len = static_cast<unsigned short>(instructions.size()),
                           .filter = instructions.data()};
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) {
    return fail_errno(errno, "cannot filter packets");
  }
  constexpr int kBuffer = 8 << 20;
  constexpr int kOn = 1;
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kBuffer, sizeof kBuffer) != 0) {
    static_cast<void>(::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &kBuffer, sizeof kBuffer));
  }
  static_cast<void>(::setsockopt(fd.get(), SOL_SOCKET, SO_TIMESTAMPNS, &kOn, sizeof kOn));
  sockaddr_ll every{};
  every.sll_family = AF_PACKET;
  every.sll_protocol = htons(ETH_P_ALL);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&every), sizeof every) != 0) {
    return fail_errno(errno, "cannot listen to packets");
  }
  return fd;
}

void receive_packets(int fd, std::size_t most,
                     const std::function<bool(const ReceivedPacket&)>& use) {
  for (std::size_t taken = 0; taken < most; ++taken) {
    std::array<std::uint8_t, 128> bytes{};
    alignas(cmsghdr) std::array<char, 64> control{};
    sockaddr_ll from{};
    iovec part{.iov_base = bytes.data(), .iov_len = bytes.size()};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t size = ::recvmsg(fd, &message, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return;
    if (from.sll_hatype == ARPHRD_LOOPBACK && from.sll_pkttype == PACKET_OUTGOING) continue;
    if (!use({.bytes = std::span(bytes).first(static_cast<std::size_t>(size)),
              .realtime_ns = timestamp_of(message),
              .link = from})) {
      return;
    }
  }
}

std::uint64_t packets_dropped(int fd) {
  tpacket_stats stats{};
  socklen_t length = sizeof stats;
  const bool told = ::getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length) == 0;
  return told ? stats.tp_drops : 0;
}

}  // namespace acceptq::collect::packets
