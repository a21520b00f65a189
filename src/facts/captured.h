// What a capture shows of the handshakes with one server, beside the terms of its ledger.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace acceptq::facts {

// Where it was taken, as seen from one server.
enum class CaptureSide : std::uint8_t {
  kUnknown,
  kClient,   // at the client, or on its link
  kServer,   // at the server, or on its link
  kBetween,  // on a host that forwards, or routers away from both
  kBoth,     // client and server are one host
};

// Attempts to connect, where a name does not say otherwise.
struct Captured {
  CaptureSide side = CaptureSide::kUnknown;
  bool behind_router = false;  // the SYNs had come over a router: this is not the client's side
  std::uint64_t attempts = 0;
  std::uint64_t completed = 0;
  std::uint64_t unanswered = 0;        // at one SYN or more
  std::uint64_t never_answered = 0;    // until the capture ended
  std::uint64_t pending = 0;           // when the capture ended
  std::uint64_t turned_away = 0;       // the SYN was answered by a reset
  std::uint64_t half_open = 0;         // answered, and the client did not acknowledge it
  std::uint64_t half_open_long = 0;    // of them, those that were seen for 3 s or more
  std::uint64_t half_open_silent = 0;  // of those, without a repeated SYN-ACK
  std::uint64_t resets = 0;            // by the server, as its first packet behind the handshake
  // Final ACKs (packets) after which the server repeated its SYN-ACK; of them, those behind which
  // data had come, too, so that no TCP_DEFER_ACCEPT was waiting for it; and their attempts.
  std::uint64_t unheard_acks = 0;
  std::uint64_t unheard_with_data = 0;
  std::uint64_t attempts_unheard = 0;
  // SYNs that were surely not answered by a cookie, where others were (LedgerTerm::kSynCookie).
  std::uint64_t no_cookies = 0;
  // Whether the capture holds packets other than those of connection set-up, and any of the
  // server's address: else its filter may have left them out.
  bool holds_others = true;
  bool holds_answers = true;
  // What clients spoke to, where an address was translated on the way: "10.77.1.1:8080".
  std::optional<std::string> translated_from;
  // How clients repeat their SYNs: true at even intervals at first (Linux 6.5 and newer), false at
  // intervals that double from the start; empty: not seen, or both.
  std::optional<bool> even_retries;

  friend bool operator==(const Captured&, const Captured&) = default;
};

// "unknown", "client", "server", "between", "both".
[[nodiscard]] std::string_view side_name(CaptureSide side);

}  // namespace acceptq::facts
