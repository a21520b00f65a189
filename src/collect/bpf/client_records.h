// What the bytes of the client iterator say. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "facts/address.h"

namespace acceptq::collect::bpf {

// One connection of a process of this host.
struct ClientSeen {
  Pid pid;
  std::string comm;
  NetnsId netns;          // of the socket
  facts::IpAddress peer;  // of TCP
  std::uint16_t peer_port = 0;
  bool connecting = false;  // nothing has answered its SYN, or accept() has not taken it
  std::optional<SocketInode> unix_listener;
};

// `bytes` are aq_client_record after aq_client_record; kTruncated where the last is not whole,
// kMalformed for an address family that the program does not write. A socket that a process has by
// several descriptors is there once. What waits for a Unix listener of no process is not told.
[[nodiscard]] Result<std::vector<ClientSeen>> parse_client_records(
    std::span<const std::byte> bytes);

}  // namespace acceptq::collect::bpf
