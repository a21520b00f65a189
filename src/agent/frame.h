// What the agent knows after one look at the host, ready to be shown: plain data that is never
// changed once it is published.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "diagnose/cause_kind.h"
#include "diagnose/report.h"
#include "facts/listener.h"

namespace acceptq::agent {

// Which series it is. A server that is restarted keeps its series: nothing in here is of one
// process or of one socket. What is empty is not shown.
struct Labels {
  std::string ns;         // Kubernetes'
  std::string pod;        // its name
  std::string container;  // its name, or the first twelve digits of its id
  // "host", the name below /run/netns, or the number; empty in a pod, whose own number is another
  // one each time that it is made.
  std::string netns;
  std::string address;  // "unix:/run/x.sock" for a Unix socket
  std::string port;
  std::string process;

  friend auto operator<=>(const Labels&, const Labels&) = default;
};

// What refused packets are counted by. The order is that of kRefusedNames.
enum class RefusedAs : std::uint8_t {
  kSynAcceptFull,
  kSynSynFull,
  kSynOther,
  kAckAcceptFull,
  kAckOther,
  kUnknown,  // the namespace's counters tell that it was this listener's, and no more
};
inline constexpr std::size_t kRefusedKinds = 6;

struct RefusedName {
  const char* stage;
  const char* reason;
};
inline constexpr std::array<RefusedName, kRefusedKinds> kRefusedNames{{
    {.stage = "syn", .reason = "accept_queue_full"},
    {.stage = "syn", .reason = "syn_queue_full"},
    {.stage = "syn", .reason = "other"},
    {.stage = "ack", .reason = "accept_queue_full"},
    {.stage = "ack", .reason = "other"},
    {.stage = "unknown", .reason = "unknown"},
}};

// Upper bounds of the buckets of waiting times, in ns: bounds of the ledger's own buckets, which
// are powers of two of a microsecond, so that no connection is in doubt.
inline constexpr std::array<std::uint64_t, 10> kWaitBoundsNs{
    (1ULL << 7) * 1000,  (1ULL << 10) * 1000, (1ULL << 13) * 1000, (1ULL << 16) * 1000,
    (1ULL << 18) * 1000, (1ULL << 20) * 1000, (1ULL << 21) * 1000, (1ULL << 22) * 1000,
    (1ULL << 23) * 1000, (1ULL << 25) * 1000};

// How long connections waited for accept(), since the series began.
struct Waits {
  std::array<std::uint64_t, kWaitBoundsNs.size() + 1> counts{};  // the last: beyond all bounds
  double sum_s = 0;  // of the middles of the ledger's buckets, which are a fifth wide

  friend bool operator==(const Waits&, const Waits&) = default;
};

// As the last scan saw it.
struct Seen {
  std::uint32_t sockets = 0;
  QueueLength length;  // this and the limit: of the socket whose queue is fullest
  std::optional<QueueLimit> limit;
  std::optional<std::uint32_t> syn_length;  // of all together

  friend bool operator==(const Seen&, const Seen&) = default;
};

struct ListenerSeries {
  facts::Protocol protocol = facts::Protocol::kTcp;
  std::optional<Seen> seen;  // empty: it was there, and is not seen any more
  QueueLength longest;       // in the last minute
  std::array<std::uint64_t, kRefusedKinds> refused{};
  std::optional<diagnose::LimitSetBy> limit_set_by;
  // Since the series began; empty where it cannot be counted.
  std::optional<std::uint64_t> attempts_refused;
  std::optional<std::uint64_t> accepted;
  std::optional<Waits> waits;
  // While it is in trouble.
  std::optional<double> estimated_wait_s;
  std::map<diagnose::CauseKind, double> causes;  // with their shares

  friend bool operator==(const ListenerSeries&, const ListenerSeries&) = default;
};

// The kernel's counters of a namespace that are metrics, and their names there.
struct NamespaceCounter {
  const char* metric;
  const char* counter;
};
inline constexpr NamespaceCounter kNamespaceCounters[] = {
    {.metric = "listen_overflows", .counter = "TcpExtListenOverflows"},
    {.metric = "listen_drops", .counter = "TcpExtListenDrops"},
    {.metric = "syncookies_sent", .counter = "TcpExtSyncookiesSent"},
    {.metric = "syncookies_received", .counter = "TcpExtSyncookiesRecv"},
    {.metric = "syncookies_failed", .counter = "TcpExtSyncookiesFailed"},
    {.metric = "syn_queue_full_drops", .counter = "TcpExtTCPReqQFullDrop"},
    {.metric = "syn_queue_full_cookies", .counter = "TcpExtTCPReqQFullDoCookies"},
    {.metric = "passive_opens", .counter = "TcpPassiveOpens"},
};

struct NamespaceSeries {
  std::map<std::string_view, std::uint64_t> counters;  // by metric
  std::optional<std::int64_t> somaxconn;
};

// How many listeners there are, and whether all of them have series.
struct Tally {
  std::size_t listeners = 0;   // sockets that were seen
  std::size_t unexported = 0;  // of these, without a series
  std::size_t most_series = 0;
  // Packets, of those and of what came and went between two scans.
  std::uint64_t unexported_refused = 0;
};

// What a look cost, and what could not be seen.
struct AgentState {
  std::uint64_t scans = 0;
  std::uint64_t failed_scans = 0;
  double scan_s = 0;          // the last one, with what was concluded from it
  double scan_ended_s = 0;    // since 1970
  std::int64_t stale_ns = 0;  // CLOCK_MONOTONIC: from then on it says nothing of now
  std::string tracing;        // "functions", "tracepoints", "none"
  // How many, by their id and whether something was not seen at all.
  std::map<std::pair<std::string, bool>, std::uint64_t> blind_spots;
};

struct Frame {
  std::vector<std::pair<Labels, ListenerSeries>> listeners;    // by labels
  std::vector<std::pair<Labels, NamespaceSeries>> namespaces;  // of their labels, the first four
  Tally tally;
  AgentState agent;
};

}  // namespace acceptq::agent
