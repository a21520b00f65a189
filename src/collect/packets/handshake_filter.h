// The kernel's part of the work: which packets are worth a copy. Pure.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <span>
#include <vector>

namespace acceptq::collect::packets {

// A classic BPF program for a packet socket of type SOCK_DGRAM (packets from their IP header on):
// passes SYN, SYN-ACK and RST from or to one of the ports, and of packets to them the bare ACKs
// (without data: the last of a handshake is one). At most kMostPorts; with more, or none, every
// port passes. No fragments, no IPv6 extension headers.
inline constexpr std::size_t kMostPorts = 60;
[[nodiscard]] std::vector<sock_filter> handshake_filter(std::span<const std::uint16_t> ports);

}  // namespace acceptq::collect::packets
