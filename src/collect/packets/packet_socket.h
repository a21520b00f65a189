// A packet socket, and what comes out of it.
#pragma once

#include <linux/if_packet.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "base/result.h"
#include "base/unique_fd.h"

namespace acceptq::collect::packets {

// Of the calling thread's network namespace: packets of handshakes with one of the ports, as
// handshake_filter() chooses them, from their IP header on. Needs CAP_NET_RAW.
[[nodiscard]] Result<UniqueFd> open_packet_socket(std::span<const std::uint16_t> ports);

struct ReceivedPacket {
  std::span<const std::uint8_t> bytes;
  std::int64_t realtime_ns = 0;  // when the kernel saw it; 0: it does not say
  sockaddr_ll link;
};

// Takes what has come, at most so many, and never waits for more; ends early where `use` returns
// false. On the loopback device, where each packet passes twice, one of them.
void receive_packets(int fd, std::size_t most,
                     const std::function<bool(const ReceivedPacket&)>& use);

// Packets that the kernel had no room for since the last call.
[[nodiscard]] std::uint64_t packets_dropped(int fd);

}  // namespace acceptq::collect::packets
