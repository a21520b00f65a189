// /proc/PID/mountstats: what the NFS client counts for each mount. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace acceptq::evidence {

// Sums over all operations since the file system was mounted; times in milliseconds.
struct NfsTotals {
  std::uint64_t operations = 0;      // that have ended
  std::uint64_t transmissions = 0;   // of requests: more than operations, where some were repeated
  std::uint64_t major_timeouts = 0;  // after all repetitions of a request
  std::uint64_t queue_ms = 0;        // until a request was sent
  std::uint64_t round_trip_ms = 0;   // from then until its answer came
  std::uint64_t execute_ms = 0;      // from the call to its end: both, and what the client needs

  friend bool operator==(const NfsTotals&, const NfsTotals&) = default;
};

struct NfsMountStats {
  std::string source;      // "10.0.0.9:/data"
  std::string mountpoint;  // as the process sees it
  std::string type;        // "nfs4", "nfs"
  NfsTotals totals;

  friend bool operator==(const NfsMountStats&, const NfsMountStats&) = default;
};

// The NFS mounts of the text, in its order (net/sunrpc/stats.c, rpc_clnt_show_stats and
// _print_name of Linux 6.1: op, ntrans, timeouts, bytes sent and received, and the three times).
// Octal escapes (\040) are decoded. Lines that are not of the file's form are passed over.
[[nodiscard]] std::vector<NfsMountStats> parse_mountstats(std::string_view text);

}  // namespace acceptq::evidence
