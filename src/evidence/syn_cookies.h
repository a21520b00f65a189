// Whether a server answered SYNs with SYN cookies, by the options of its packets. Pure.
//
// A Linux server keeps nothing of a SYN that it answers with a cookie. So it puts the options that
// the client offered into the low six bits of its SYN-ACK's TSval: the window scale (15: none),
// then SACK, then ECN, and takes 64 from it where that were later than now (cookie_init_timestamp,
// net/ipv4/syncookies.c, 5.10 to 6.18). An offset is added to every TSval of a connection
// (secure_tcp_ts_off: of the addresses, with later releases of the ports, too), so that one SYN-ACK
// tells nothing. But the connection's next packet has the same offset:
//
//   next TSval - SYN-ACK's TSval = time between them + what was taken off for the cookie (0 … 63)
//   next TSval - SYN-ACK's TSval + options = the server's clock at the next packet, modulo 64
//
// Of ordinary answers the one says 0, and the other nothing of the clock: it agrees between two
// connections by chance. Of cookies it is the clock's phase beside that of the capture, the same
// for all. A server is said to send cookies where chance does not explain how often it agrees among
// answers that were dated back.
//
// Without timestamps a cookie's SYN-ACK has neither window scale nor SACK (tcp_conn_request clears
// the options). A server may have both turned off: this tells where it gives them to others.
#pragma once

#include <cstdint>
#include <optional>

#include "evidence/tcp_options.h"

namespace acceptq::evidence {

// What the answers of one server have shown so far.
struct CookieSigns {
  // The last answer that others are compared with.
  struct Anchor {
    std::int64_t asked_ns = 0;
    std::int64_t answered_ns = 0;
    std::uint32_t alike = 0;  // it and others like it that are not counted yet; 0: no anchor
    std::uint8_t phase = 0;
    bool has_matched = false;
  };
  Anchor anchor;
  std::uint64_t compared = 0;
  std::uint64_t matched = 0;
  std::uint64_t cookies = 0;   // answers in phase with those that matched
  std::uint64_t ordinary = 0;  // answers beside them that are not
  std::uint64_t bare = 0;  // window scale and SACK were offered without timestamps, and not taken
  std::uint64_t not_bare = 0;  // … and taken
};

// A SYN's options and its answer's.
void add_options(const TcpOptions& asked, const TcpOptions& answered, CookieSigns& signs);

// What a cookie's TSval holds; -1 where SYN or answer have no timestamp, or it is not known.
[[nodiscard]] int cookie_bits(const TcpOptions& asked, const TcpOptions& answered);

// A SYN, its first answer, and the server's next packet on the same connection.
struct StampedAnswer {
  std::int64_t asked_ns = 0;
  std::int64_t answered_ns = 0;
  std::int64_t next_ns = 0;
  std::uint32_t timestamp = 0;
  std::uint32_t next_timestamp = 0;
  std::uint8_t cookie_bits = 0;
};
void add_timestamps(const StampedAnswer& answer, CookieSigns& signs);

struct CookieCount {
  std::uint64_t cookies = 0;   // of the answers that tell, less what chance gives
  std::uint64_t ordinary = 0;  // of the same
};
// Nothing where it is not sure that there was any.
[[nodiscard]] std::optional<CookieCount> cookies_of(const CookieSigns& signs);

}  // namespace acceptq::evidence
