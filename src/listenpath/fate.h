// What becomes of a SYN, and of the final ACK of a handshake, at a listener; and what the kernel
// counts for each.
//
// A SYN that meets no earlier request goes through tcp_conn_request. The SYN queue is looked at
// first: full (or tcp_syncookies 2) means "answer by a cookie", or, with cookies off, refuse. Then
// the accept queue: full means refuse, cookie or not. Only then is a request made, with cookies off
// subject to the last-quarter reserve. The answer is a SYN-ACK in either case; a cookie leaves no
// trace behind.
//
// The final ACK finds its request (tcp_check_req) or proves a cookie (cookie_v4_check); both end in
// tcp_v4_syn_recv_sock, which looks at the accept queue again. When it is full the packet is
// dropped and the client, which has had its SYN-ACK, believes to be connected. A request stays and
// gets more chances, with every packet of the client, until its timer ends it after 63 s; a cookie
// leaves nothing to retry. Only tcp_abort_on_overflow tells the client, and only where there is a
// request.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/units.h"
#include "listenpath/kernel.h"
#include "listenpath/limits.h"

namespace acceptq::listenpath {

enum class SynFate {
  kQueued,  // request made, SYN-ACK sent
  kCookie,  // SYN-ACK with a cookie sent, nothing kept
  kRefusedAcceptFull,
  kRefusedBothFull,  // cookies on, but the accept queue is full too
  kRefusedSynFull,   // cookies off
  kRefusedReserve,   // cookies off, last quarter
  kDuplicate,        // a request of this client exists: the SYN-ACK is repeated
};

enum class AckFate {
  kAccepted,  // the request's child entered the accept queue
  kAcceptedCookie,
  kRefusedKept,    // accept queue full; the request stays
  kRefusedReset,   // accept queue full and tcp_abort_on_overflow: RST
  kRefusedCookie,  // accept queue full; nothing is remembered
  kDeferred,       // TCP_DEFER_ACCEPT and no data yet
  kBadCookie,      // RST
  kStray,          // neither request nor cookie: RST
};

struct ListenerState {
  QueueLength accept_length;
  std::uint32_t syn_length = 0;
  std::uint32_t syn_young = 0;
  SynQueueSettings settings;
  bool abort_on_overflow = false;
};

struct SynContext {
  bool request_exists = false;
  bool reuses_time_wait = false;  // skips the SYN-queue test and the reserve
  bool proven = false;            // tcp_metrics knows its round-trip time
};

struct AckContext {
  bool request_exists = true;
  bool deferred = false;         // TCP_DEFER_ACCEPT pending and the packet carries no data
  bool cookie_expected = false;  // a cookie was sent within the last 120 s (3 s up to 4.1)
  bool cookie_valid = false;
};

[[nodiscard]] SynFate fate_of_syn(const KernelRules& rules, const ListenerState& state,
                                  const SynContext& syn);
[[nodiscard]] AckFate fate_of_ack(const ListenerState& state, const AckContext& ack);

// One counter that an event moves, by nstat's name, or "sk_drops" for the listener's own.
struct Move {
  std::string_view counter;
  int by = 1;
};

[[nodiscard]] std::span<const Move> counted(SynFate fate);
[[nodiscard]] std::span<const Move> counted(AckFate fate);

}  // namespace acceptq::listenpath
