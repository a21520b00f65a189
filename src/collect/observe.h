// One look at this host, or a watch over it for a while.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/result.h"
#include "collect/bpf/trace_options.h"
#include "collect/scan.h"
#include "facts/snapshot.h"

namespace acceptq::collect {

struct ObserveOptions {
  // 0: look(). It may become twice as long, by 5 s at most, where a listener is in trouble and its
  // threads could hardly be looked at.
  double seconds = 2.0;
  ScanOptions scan;
  bpf::TraceOptions trace;  // level kNone: no tracing
  // TCP listeners whose packets are looked at on the interfaces of their namespace; empty: none's.
  // What packets tell takes the place of tracing.
  std::function<bool(const facts::Snapshot&, const facts::Listener&)> tapped;
  // What the user asked for by port: where nothing listens on one, it is looked up where connection
  // tracking sends its clients.
  std::vector<std::uint16_t> asked_ports;
  // Called now and then with the elapsed seconds; returning false ends the observation early (its
  // `seconds` then say how long it was).
  std::function<bool(double)> progress;
};

// One moment: both snapshots are one scan, and nothing is known of what changes. `asked_ports` as
// in the options.
[[nodiscard]] Result<facts::Observation> look(const ScanOptions& options,
                                              const std::vector<std::uint16_t>& asked_ports);

// Two scans `seconds` apart, with the accept queues sampled in between.
[[nodiscard]] Result<facts::Observation> observe(const ObserveOptions& options);

}  // namespace acceptq::collect
