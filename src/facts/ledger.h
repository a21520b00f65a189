// Every handshake that reached one listener, accounted for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/units.h"
#include "facts/address.h"
#include "facts/captured.h"
#include "facts/course.h"
#include "facts/listener.h"

namespace acceptq::facts {

struct Snapshot;

// What a ledger counts. Packets, except where a name says otherwise; docs/glossary.md explains
// each. The order is that of enum aq_term (src/collect/bpf/ledger_wire.h).
enum class LedgerTerm : std::uint8_t {
  kSynReceived,
  kSynDuplicate,
  kSynQueued,
  kSynLostRace,
  kSynCookie,
  kSynFastopen,
  kSynRefusedAcceptFull,
  kSynRefusedSynFull,
  kSynRefusedReserve,
  kSynRefusedNoMemory,
  kSynRefusedNoRoute,
  kSynRefusedSecurity,
  kSynRefusedOther,
  kSynBothFull,
  kSynackSent,
  kSynackRetransmitted,
  kSynackFailed,
  kAckQueued,
  kAckRefusedFull,
  kAckRefusedOther,
  kCookieAckRefusedFull,
  kCookieAckRefusedOther,
  kAckReset,
  kCookieValid,
  kCookieInvalid,
  kRequestExpired,
  kRequestReset,
  kRequestUnreachable,
  kAccepted,
  kAcceptedUntimed,
  kAcceptedDead,
  kAcceptAgain,
  kAcceptInterrupted,
  kAcceptEmfile,
  kAcceptEnfile,
  kAcceptAborted,
  kAcceptOther,
  kClosedWaiting,
  kMigratedIn,
  kListenCalls,
  kAttemptsRefused,
  kAttemptsRecovered,
};
inline constexpr std::size_t kLedgerTerms =
    static_cast<std::size_t>(LedgerTerm::kAttemptsRecovered) + 1;

// "syn_received" …, as in JSON.
[[nodiscard]] std::string_view ledger_term_name(LedgerTerm term);

// One bucket of a histogram: `count` values below `below` and not below the bucket before it.
struct Bucket {
  std::uint64_t below = 0;
  std::uint64_t count = 0;

  friend bool operator==(const Bucket&, const Bucket&) = default;
};

inline constexpr std::size_t kMostClients = 10;

// Without empty buckets, ascending.
using Histogram = std::vector<Bucket>;

// The value below which a share of all lies: the upper bound of its bucket. Empty without values,
// and for a share above one half where not one value can lie beyond it: two say nothing of 99 %.
[[nodiscard]] std::optional<std::uint64_t> quantile(const Histogram& histogram, double share);

// What listen() was called with, and what it gave.
struct ListenCall {
  std::optional<std::int32_t> requested;  // by the application
  std::uint32_t somaxconn = 0;            // of the socket's namespace, at that time
  std::uint32_t limit = 0;

  friend bool operator==(const ListenCall&, const ListenCall&) = default;
};

// The route to a client, as a lookup in the listener's network namespace gives it.
enum class RouteBack : std::uint8_t { kFound, kNone, kUnreachable, kBlackhole, kProhibit };

// Refused packets of one address, or of all addresses in one prefix.
struct RefusedClient {
  IpAddress address;
  std::uint8_t prefix_bits = 0;  // 32 or 128 for one address
  std::uint64_t packets = 0;
  std::uint64_t attempts = 0;
  // As the observation ended, where the listener refused packets for another reason than a full
  // queue; empty: not looked up.
  std::optional<RouteBack> route;

  friend bool operator==(const RefusedClient&, const RefusedClient&) = default;
};

struct Ledger {
  // Whose it is: what a Listener of a snapshot has.
  NetnsId netns;
  std::optional<std::uint64_t> netns_cookie;  // tells namespaces apart that have one inode in turn
  IpAddress address;
  std::uint16_t port = 0;
  std::uint32_t ifindex = 0;
  SocketCookie cookie;  // 0: it had none when it was last looked at

  Source source = Source::kFunctions;
  std::int64_t since_ns = 0;                                        // CLOCK_MONOTONIC
  std::optional<std::int64_t> closed_at_ns;                         // the listener was closed
  std::array<std::optional<std::uint64_t>, kLedgerTerms> counts{};  // empty: cannot be known
  std::optional<QueueLength> longest;  // highest length of the accept queue at an arrival
  std::optional<std::uint32_t> syn_longest;
  Histogram depth;             // length of the accept queue at each arrival, the newcomer included
  Histogram delay_s;           // of refused attempts that were let in later: since the first packet
  Histogram time_in_queue_ns;  // from the insertion to accept()
  std::optional<ListenCall> listen;  // the last that was seen

  // Whose packets were refused, by address, and by /24 or /48. In an observation those with most
  // attempts, at most kMostClients, most first.
  std::vector<RefusedClient> clients;
  std::vector<RefusedClient> prefixes;
  std::optional<std::uint64_t> addresses;  // how many in all; empty: more than could be told apart
  // Refused attempts that have neither come through nor been repeated in twice the time in which a
  // client repeats them.
  std::optional<std::uint64_t> gave_up;
  // Of Source::kPackets alone: SYNs that passed an interface and got no answer within 100 ms,
  // whether the listener refused them or they never reached it. Empty where packets were lost on
  // the way to acceptq: the answers may be among them.
  std::optional<std::uint64_t> syn_unanswered;
  // Of Source::kPackets, where the packets are a capture's. The terms for what was refused are then
  // empty: packets alone do not tell who dropped them.
  std::optional<Captured> captured;
  // Of Source::kPackets: when what happened. Empty where there are no times.
  std::optional<HandshakeCourse> course;

  [[nodiscard]] std::optional<std::uint64_t> operator[](LedgerTerm term) const {
    return counts[static_cast<std::size_t>(term)];
  }
  void set(LedgerTerm term, std::uint64_t value) { counts[static_cast<std::size_t>(term)] = value; }

  friend bool operator==(const Ledger&, const Ledger&) = default;
};

// What was counted between two looks at one ledger that hold all of its clients. Lengths are the
// later ones: how long a queue was at most in between is not known.
[[nodiscard]] Ledger ledger_growth(const Ledger& before, const Ledger& after);

// Whether most of those that left the accept queue could be timed: the few that took long are
// easier to time than the many that did not, and of many that are taken at once only the last ones
// are.
[[nodiscard]] bool is_mostly_timed(const Ledger& ledger);

// Puts those with most refused attempts first, and keeps kMostClients of them.
void keep_most_refused(std::vector<RefusedClient>& clients);
void keep_most_refused(Ledger& ledger);  // its clients and prefixes

// Sums of the terms that are known; empty where none is.
[[nodiscard]] std::optional<std::uint64_t> refused_at_syn(const Ledger& ledger);
[[nodiscard]] std::optional<std::uint64_t> refused_at_ack(const Ledger& ledger);
// Of both; 0 where neither is known.
[[nodiscard]] std::uint64_t refused_packets(const Ledger& ledger);
// Refused for another reason than a full queue: no memory, no route back, a security module …
[[nodiscard]] std::uint64_t refused_otherwise(const Ledger& ledger);

// "found", "none", "unreachable", "blackhole", "prohibit".
[[nodiscard]] std::string_view route_name(RouteBack route);

// At which step of the handshake a packet was refused.
enum class Stage : std::uint8_t { kSyn, kAck, kCookieAck };

// One refused packet of a handshake.
struct Refusal {
  std::int64_t at_ns = 0;  // CLOCK_MONOTONIC
  NetnsId netns;
  SocketCookie cookie;  // of the listener; 0: not known
  IpAddress client;
  std::uint16_t client_port = 0;
  IpAddress address;  // that the client spoke to
  std::uint16_t port = 0;
  // The client's initial sequence number: with the addresses, the attempt. Empty where attempts are
  // told apart by addresses and ports alone (tracepoints).
  std::optional<std::uint32_t> isn;
  Stage stage = Stage::kSyn;
  LedgerTerm reason = LedgerTerm::kSynRefusedOther;
  std::uint32_t attempt_packets = 0;  // refused of this attempt so far
  QueueLength length;
  QueueLimit limit;
  std::uint32_t syn_length = 0;
  bool reset = false;  // answered by RST

  friend bool operator==(const Refusal&, const Refusal&) = default;
};

// The listener of the snapshot that the cookie, or else namespace, address and port, mean; null
// where there is none, or several by address.
[[nodiscard]] const Listener* find_listener(const Snapshot& snapshot, const Refusal& refusal);
[[nodiscard]] const Listener* find_listener(const Snapshot& snapshot, const Ledger& ledger);

// The same for many ledgers, without a look at every listener for each. The snapshot outlives it,
// and its listeners stay where they are.
class ListenersByPort {
 public:
  explicit ListenersByPort(const Snapshot& snapshot);

  [[nodiscard]] const Listener* find(const Ledger& ledger) const;

 private:
  const Snapshot& snapshot_;
  std::vector<const Listener*> by_port_;  // TCP, by namespace and port
};

// "syn", "ack", "cookie_ack".
[[nodiscard]] std::string_view stage_name(Stage stage);

// "accept queue full", "SYN queue full" …, the same at each stage; empty for terms that are no
// refusal.
[[nodiscard]] std::string_view refusal_reason(LedgerTerm term);
// The same for people, where reasons of final ACKs and of the ACKs of cookies stand side by side.
[[nodiscard]] std::string refusal_reason_of_ack(LedgerTerm term);

}  // namespace acceptq::facts
