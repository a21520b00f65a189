// What a diagnosis says: findings, and for every listener its verdict and the numbers behind it.
// Plain data that render/ prints and remedy/ completes; field names follow schema acceptq.report/1.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/units.h"
#include "diagnose/cause_kind.h"
#include "facts/ledger.h"
#include "facts/listener.h"

namespace acceptq::diagnose {

// Least first.
enum class Severity { kNotice, kWarning, kCritical };

// Worst first: a report's verdict is the first in this order of its listeners' and of those that
// its findings about a whole namespace stand for. The verdict is the fact; how bad it is, a
// finding's severity says.
enum class Verdict {
  kOverflowing,       // its accept queue or its SYN queue refused handshakes
  kSlow,              // nothing was refused, but connections wait over a second for accept()
  kDroppedElsewhere,  // handshakes died for another reason than a full queue
  kFailing,           // handshakes failed, and what was seen does not tell why
  kAtRisk,
  kUnknown,
  kOverflowed,  // refused only before the observation
  kHealthy,
};

enum class LimitSetBy { kSomaxconn, kApplication, kKernel, kAcceptq, kUnknown };

enum class Cookies { kOff, kWhenFull, kAlways };

// Evidence that advice goes by. Of AQ201 and AQ205: most of what fills the SYN queue does not
// answer; of AQ401: the table of connection tracking is full.
inline constexpr const char* kSynQueueUnanswered = "syn_queue.unanswered";
inline constexpr const char* kConntrackFull = "conntrack_full";

// One number that an explanation rests on.
struct Evidence {
  std::string name;  // "TcpExtListenOverflows", "accept_queue.length", "net.core.somaxconn"
  std::optional<std::int64_t> total;
  std::optional<std::int64_t> delta;  // over the observation
  std::string unit;                   // "packets", "connections", "entries" …
  std::string source;                 // "/proc/3985/net/netstat", "sock_diag", …
};

// One way to change things. `form` and `takes_effect` are closed vocabularies (docs/findings):
// takes_effect is "now", "reload", "restart", "new_pod" or "new_node".
struct Remedy {
  std::string form;
  std::string summary;
  std::string content;
  std::string takes_effect;
  std::string then;        // what limits the queue after this; empty: nothing known
  bool lengthens = false;  // it gives the accept queue a larger limit
};

struct Cause {
  CauseKind kind = CauseKind::kUnknown;
  std::optional<double> share;  // of the observed time, 0…1
  std::map<std::string, std::string> detail;
};

struct Finding {
  std::string id;  // "AQ101"
  Severity severity = Severity::kNotice;
  std::string title;
  std::string explanation;
  std::optional<std::string>
      listener;  // its key; empty for a finding about a namespace or the host
  std::optional<NetnsId> netns;
  double confidence = 1.0;
  std::optional<Cause> cause;
  std::vector<Evidence> evidence;
  std::vector<Remedy> remedies;
};

// Whether it says why accept() is slow: AQ301 … AQ315.
[[nodiscard]] inline bool says_why(const Finding& finding) {
  return finding.cause && finding.id.starts_with("AQ3");
}

// Where the threads that accept for a listener were, in equal parts of the time that they were
// looked at: of the looks at them, how many found them there.
struct AcceptCourse {
  struct Line {
    std::string what;                           // "fuse": a name for programs
    std::string words;                          // "waiting for a file system in user space"
    double share = 0;                           // of all looks, 0…1
    std::vector<std::optional<double>> shares;  // of each part; empty: nobody looked
  };
  double from_s = 0;  // the first look, from the beginning of the observation on
  double part_s = 0;
  std::vector<Line> lines;  // the greatest share first; those of a twentieth or more
};

// Refused packets of handshakes during the observation, the attempts to connect that they belong
// to, and the addresses that these come from.
struct Refused {
  std::optional<std::uint64_t> total;
  std::optional<std::uint64_t> at_syn;
  std::optional<std::uint64_t> at_ack;
  std::optional<std::uint64_t> attempts;
  std::optional<std::uint64_t> recovered;  // attempts that came through later
  std::optional<std::uint64_t> gave_up;    // attempts that were not repeated
  std::optional<std::uint64_t> addresses;
  std::vector<facts::RefusedClient> top;  // most attempts first
  std::optional<facts::Source> source;
  bool at_least = false;  // there may have been more: the source does not show all
};

// How long connections waited for accept().
struct TimeInQueue {
  double p50_ms = 0;
  std::optional<double> p99_ms;  // empty where too few left the queue to tell
  facts::Source source = facts::Source::kFunctions;
};

struct ListenerReport {
  std::string key;
  Verdict verdict = Verdict::kUnknown;
  QueueLength longest;                     // of all samples and both snapshots
  std::optional<double> full_fraction;     // of the samples, 0…1
  bool full_between_samples = false;       // it refused for a full accept queue, and none shows it
  std::optional<QueueLimit> limit_before;  // at the beginning, where it was another
  LimitSetBy limit_set_by = LimitSetBy::kUnknown;
  std::optional<bool> stale;
  std::optional<std::uint64_t> syn_queue_capacity;  // 0…; with cookies "off" the ¾ rule included
  std::optional<QueueLimit> syn_queue_limit;
  std::optional<Cookies> cookies;
  std::optional<std::int64_t> somaxconn;  // of its namespace
  std::optional<double> arrivals_per_s;
  std::optional<double> accepts_per_s;
  Refused refused;
  std::optional<std::uint64_t> left_queue;  // connections that accept() took while it was watched
  // SYNs that got no answer though no counter says that the listener refused them; only where
  // packets were looked at.
  std::optional<std::uint64_t> syn_unanswered;
  std::optional<facts::Captured> captured;       // by packets of a capture
  std::optional<facts::HandshakeCourse> course;  // of packets, by time
  std::optional<AcceptCourse> accept_course;     // where a finding says why accept() is slow
  std::optional<TimeInQueue> time_in_queue;
  // Of one that comes now: the queue's length by the rate at which connections leave it.
  std::optional<double> estimated_wait_ms;
  std::optional<std::uint64_t> socket_drops_delta;
  std::optional<std::string> reuseport_group;  // facts::reuseport_key, where it has other members
};

// One counter of a namespace: what the kernel counted, and what of it the ledgers account for.
struct BookLine {
  std::string counter;  // "TcpExtListenDrops"
  std::uint64_t kernel = 0;
  std::uint64_t attributed = 0;

  [[nodiscard]] std::int64_t remainder() const {
    return static_cast<std::int64_t>(kernel) - static_cast<std::int64_t>(attributed);
  }
};

struct NamespaceBook {
  NetnsId netns;
  std::vector<BookLine> lines;
};

struct Report {
  Verdict verdict = Verdict::kUnknown;
  std::vector<Finding> findings;          // worst first
  std::vector<ListenerReport> listeners;  // one per listener of the later snapshot, in its order
  std::vector<NamespaceBook> books;       // books.h says of which namespaces
};

}  // namespace acceptq::diagnose
