// The options of a SYN or a SYN-ACK that SYN cookies leave a trace in. Pure.
#pragma once

#include <cstdint>
#include <span>

namespace acceptq::evidence {

struct TcpOptions {
  bool known = false;  // all of them; false: no SYN, or the packet was cut before they ended
  bool sack = false;
  bool has_timestamp = false;
  bool ecn = false;               // the ECE flag, which is no option, but negotiated with them
  std::int8_t window_scale = -1;  // -1: none
  std::uint32_t timestamp = 0;    // TSval

  friend bool operator==(const TcpOptions&, const TcpOptions&) = default;
};

// `bytes` is what lies between the first 20 bytes of a TCP header and its end. What follows an
// option that lies about its length is not read (as tcp_parse_options does).
[[nodiscard]] TcpOptions parse_tcp_options(std::span<const std::uint8_t> bytes);

}  // namespace acceptq::evidence
