// What one connection attempt lived through, decided from what its socket said. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

namespace acceptq::lab::probe {

enum class Outcome {
  kConnectedAtOnce,
  kConnectedAfterRetries,  // the kernel had to send the SYN again
  kRefused,                // ECONNREFUSED: an RST answered the SYN
  kReset,                  // ECONNRESET, while connecting or after
  kNeverAnswered,          // connected, but no first byte in time
  kClosedUnanswered,       // connected, then closed by the server without a byte
  kTimedOut,               // no connection in time, or ETIMEDOUT
  kOtherError,             // another errno of the network: EHOSTUNREACH, ENETUNREACH …
  kLocalFailure,           // the prober's own shortage: EADDRNOTAVAIL, EMFILE …
  kUnfinished,             // cut short because the probe was stopped
};
inline constexpr std::size_t kOutcomes = 10;

// "connected_at_once" …: the name in JSON.
[[nodiscard]] const char* to_string(Outcome outcome);

// When, after the first SYN, the kernel sends it again; ascending, at least up to `until`.
// `linear_timeouts` is net.ipv4.tcp_syn_linear_timeouts (6.5 on; 0 before, where it does not
// exist): that many retries keep the initial timeout of 1 s and only then does it double
// (tcp_retransmit_timer, net/ipv4/tcp_timer.c). 0 gives 1, 3, 7, 15 s; 4 gives 1, 2, 3, 4, 5, 7,
// 11 s.
[[nodiscard]] std::vector<std::chrono::milliseconds> syn_retry_schedule(
    unsigned linear_timeouts, std::chrono::milliseconds until);

// How many of `schedule` lie at or before `elapsed`: the SYN retries of a connection whose kernel
// does not tell. A path slower than the schedule's first entry makes this wrong, hence only a
// stand-in for tcpi_total_retrans.
[[nodiscard]] unsigned retries_by_time(std::span<const std::chrono::milliseconds> schedule,
                                       std::chrono::microseconds elapsed);

// What was seen of one attempt by the time that it ended.
struct AttemptFacts {
  bool connected = false;
  unsigned syn_retries = 0;  // where connected
  bool expects_reply = false;
  bool answered = false;        // a first byte came
  bool closed_by_peer = false;  // end of file before the first byte
  bool out_of_time = false;
  int error = 0;  // errno of connect(), or SO_ERROR, or of a later read or write
};

[[nodiscard]] Outcome classify(const AttemptFacts& facts);

// True for an errno that says that this host ran out of something (ports, descriptors, memory),
// not that the other end or the network did anything.
[[nodiscard]] bool is_local_failure(int error);

}  // namespace acceptq::lab::probe
