// How clients repeat what was not answered. Pure.
#pragma once

#include <cstdint>

namespace acceptq::facts {

// Whether the client of a refused attempt has given it up: it has not repeated a packet in twice
// the time in which it would. It doubles the pause between two SYNs, from 1 s to 64 s
// (tcp_retransmit_timer, net/ipv4/tcp_timer.c; tcp_syn_retries 6); the first ones stay at 1 s from
// Linux 6.5 on. What was seen first may be a repetition: of one packet alone, or of several at
// once, nothing tells the pause. All in ns of one clock.
[[nodiscard]] bool has_given_up(std::int64_t first_ns, std::int64_t last_ns, std::int64_t now_ns);

}  // namespace acceptq::facts
