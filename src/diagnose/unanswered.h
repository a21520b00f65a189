// Handshakes that were answered and of which no final ACK came, and what they tell (AQ405).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "diagnose/listener_state.h"
#include "diagnose/report.h"

namespace acceptq::diagnose {

// Fewer handshakes that nobody answers are clients that went away.
inline constexpr std::uint64_t kFewestUnanswered = 10;

// Final ACKs without data at listeners that defer.
inline constexpr const char* kDeferDrop = "TcpExtTCPDeferAcceptDrop";

// So few of `all` handshakes completed as real clients never leave: they complete nearly all.
[[nodiscard]] bool comes_to_nothing(std::uint64_t completed, std::uint64_t all);

// Handshakes of one or more listeners that have waited for the client's ACK for over a second.
struct Unanswered {
  std::uint64_t waiting = 0;   // in SYN queues now
  std::uint64_t repeated = 0;  // SYN-ACKs
  std::uint64_t expired = 0;
  std::uint64_t unsent = 0;  // ended at their first time-out: their SYN-ACK could not be sent
  std::uint64_t acked = 0;   // final ACKs came, and were refused: such requests stay, too

  Unanswered& operator+=(const Unanswered& other);
  // At least so many handshakes.
  [[nodiscard]] std::uint64_t handshakes() const;
};

[[nodiscard]] Unanswered unanswered_of(const ListenerState& state);

// Of a listener with TCP_DEFER_ACCEPT: the handshakes that have waited in its SYN queue for over a
// second and may be complete but for the client's first bytes. SYN-ACKs of these are not repeated,
// as those for strangers are (syn_ack_recalc, net/ipv4/inet_connection_sock.c).
[[nodiscard]] std::uint64_t held_back(const ListenerState& state);
// It has such handshakes, or passed over bare final ACKs meanwhile.
[[nodiscard]] bool has_deferred(const ListenerState& state);

// "17 handshakes have been unanswered for over a second, 40 SYN-ACKs were repeated".
[[nodiscard]] std::string signs_of(const Unanswered& unanswered);

// Clients of this listener do not complete their handshakes, though its queues have room.
[[nodiscard]] bool leaves_unanswered(const ListenerState& state);
// AQ405; AQ408, of those that come through late.
void add_unanswered_findings(const ListenerState& state, std::vector<Finding>& findings);

}  // namespace acceptq::diagnose
