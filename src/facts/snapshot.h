// Everything that was seen at one moment, and the two moments that a diagnosis compares.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/units.h"
#include "facts/ledger.h"
#include "facts/listener.h"
#include "facts/namespace.h"
#include "facts/process.h"
#include "facts/threads.h"
#include "facts/translation.h"

namespace acceptq::facts {

// Something that could not be seen. Missing evidence is data: the report lists it with its cost.
struct BlindSpot {
  std::string id;      // "AQ601" …, see the catalogue in src/diagnose
  std::string scope;   // "host", "netns:4026532567", "pid:3985", a listener's key
  std::string reason;  // what was tried and what failed
  std::string cost;    // what the report cannot say because of it
  // True where something was not observed at all (a namespace, a dump): a clean report then
  // exits 3.
  bool unobserved = false;

  friend bool operator==(const BlindSpot&, const BlindSpot&) = default;
};

struct Host {
  std::string name;
  std::string kernel;  // uname's release: "6.1.0-56-amd64"
  std::string boot_id;

  friend bool operator==(const Host&, const Host&) = default;
};

struct Snapshot {
  Host host;
  std::int64_t realtime_ns = 0;   // when its first read began
  std::int64_t monotonic_ns = 0;  // likewise, for intervals on one host
  std::string scan_method;        // "iterator", "netlink", "procfs": how the listeners were found
  std::vector<Namespace> namespaces;  // by id
  std::vector<Listener> listeners;    // by listener_key
  std::vector<Process> processes;     // by pid; every owner of a listener that still lived
  std::vector<BlindSpot> blind_spots;
  std::vector<Translation> translations;  // of ports that were asked for, where nothing listens

  friend bool operator==(const Snapshot&, const Snapshot&) = default;
};

// What sampling saw of one accept queue between the two snapshots.
struct QueueSamples {
  std::uint32_t count = 0;
  std::uint32_t full = 0;  // those with sampled_full
  QueueLength longest;

  // Those of another time.
  QueueSamples& operator+=(const QueueSamples& others);

  friend bool operator==(const QueueSamples&, const QueueSamples&) = default;
};

// The length of an accept queue at one moment.
struct QueuePoint {
  std::int64_t at_ns = 0;  // CLOCK_MONOTONIC
  QueueLength length;

  friend bool operator==(const QueuePoint&, const QueuePoint&) = default;
};

// SYNs to one port of a namespace that this host dropped before a listener saw them, or packets
// that clients sent behind them, as the final ACKs are.
struct DeadSyn {
  NetnsId netns;
  IpAddress address;
  std::uint16_t port = 0;
  std::string reason;  // the kernel's: "NETFILTER_DROP" (enum skb_drop_reason without its prefix)
  std::uint64_t packets = 0;
  bool after_syn = false;

  friend bool operator==(const DeadSyn&, const DeadSyn&) = default;
};
// The reason of a SYN to a port where nothing listens: it is answered, by a RST.
inline constexpr const char* kNoSocket = "NO_SOCKET";
// Of one that a rule of the packet filter dropped or rejected, or connection tracking dropped.
inline constexpr const char* kNetfilterDrop = "NETFILTER_DROP";

// What an armed observation waited for.
struct Incident {
  std::int64_t at_ns = 0;     // CLOCK_MONOTONIC: the first packet was refused
  double waited_seconds = 0;  // until then

  friend bool operator==(const Incident&, const Incident&) = default;
};

// Two snapshots of one host and what happened between them: all that a diagnosis is made from.
struct Observation {
  Snapshot before;
  Snapshot after;
  double seconds = 0;
  std::map<std::string, QueueSamples> samples;  // by listener_key
  std::optional<Incident> incident;
  // Before, during and after the incident, for queues that were not always empty; by listener_key.
  std::map<std::string, std::vector<QueuePoint>> timeline;
  std::optional<Source> tracing;                  // how handshakes were traced; empty: not at all
  std::vector<Ledger> ledgers;                    // what tracing counted, for each listener
  std::optional<std::vector<DeadSyn>> dead_syns;  // empty: nothing told
  AcceptEvidence accept_evidence;                 // of listeners in trouble
  // All of it was read from what people paste; nothing was observed by acceptq itself.
  bool imported = false;

  friend bool operator==(const Observation&, const Observation&) = default;
};

[[nodiscard]] const Namespace* find_namespace(const Snapshot& snapshot, NetnsId id);
[[nodiscard]] const Process* find_process(const Snapshot& snapshot, Pid pid);
// SYNs that were answered by a reset, as no listener serves their address.
[[nodiscard]] std::vector<DeadSyn> reset_syns(const Observation& observation);
// What tracing counted for each listener of the later snapshot, in its order; null where it saw
// nothing of one.
[[nodiscard]] std::vector<const Ledger*> ledgers_of(const Observation& observation);
[[nodiscard]] const Namespace* host_namespace(const Snapshot& snapshot);
// Whether something of the namespace was seen at two moments, and how long these are apart where
// that is known.
[[nodiscard]] bool is_compared(const Observation& observation, NetnsId id);
[[nodiscard]] std::optional<double> seconds_of(const Observation& observation, NetnsId id);
// Whether it is known from what was run inside a pod or a container.
[[nodiscard]] bool is_pasted_inside(const Namespace& ns);

// Orders and makes unique what must be: namespaces by id, listeners by key, processes by pid,
// owners. Every collector and reader calls it once, at its end.
void normalize(Snapshot& snapshot);

}  // namespace acceptq::facts
