#include "evidence/tcp_options.h"

#include <netinet/tcp.h>

#include <algorithm>
#include <cstddef>

namespace acceptq::evidence {

TcpOptions parse_tcp_options(std::span<const std::uint8_t> bytes) {
  TcpOptions options{.known = true};
  for (std::size_t at = 0; at < bytes.size();) {
    const std::uint8_t kind = bytes[at];
    if (kind == TCPOPT_EOL) break;
    if (kind == TCPOPT_NOP) {
      ++at;
      continue;
    }
    if (at + 2 > bytes.size()) break;
    const std::size_t length = bytes[at + 1];
    if (length < 2 || at + length > bytes.size()) break;
    if (kind == TCPOPT_SACK_PERMITTED && length == TCPOLEN_SACK_PERMITTED) options.sack = true;
    if (kind == TCPOPT_WINDOW && length == TCPOLEN_WINDOW) {
      constexpr std::uint8_t kMost = 14;  // RFC 7323: a greater one means this
      options.window_scale = static_cast<std::int8_t>(std::min(bytes[at + 2], kMost));
    }
    if (kind == TCPOPT_TIMESTAMP && length == TCPOLEN_TIMESTAMP) {
      options.has_timestamp = true;
      options.timestamp = std::uint32_t{bytes[at + 2]} << 24U |
                          std::uint32_t{bytes[at + 3]} << 16U | std::uint32_t{bytes[at + 4]} << 8U |
                          bytes[at + 5];
    }
    at += length;
  }
  return options;
}

}  // namespace acceptq::evidence
