// The night's burst: waits armed, at next to no cost, until a packet of a handshake is refused, and
// keeps what was before, during and after.
#pragma once

#include <cstdint>
#include <functional>

#include "base/result.h"
#include "collect/handshakes.h"
#include "collect/scan.h"
#include "collect/thread_looks.h"
#include "collect/watch_source.h"
#include "facts/snapshot.h"

namespace acceptq::collect {

struct AwaitOptions {
  double seconds = 0;  // at most
  ScanOptions scan;
  bpf::TraceOptions trace;
  // Whether a listener's refusals are waited for; empty: every one's.
  std::function<bool(const facts::Snapshot&, const facts::Listener&)> concerns;
  // As of ObserveOptions.
  std::function<bool(double)> progress;
  // Called once, at the first refusal; the listener is null where it is not known.
  std::function<void(const facts::Snapshot&, const facts::Listener*)> on_overflow;
};

// The observation begins 10 to 20 s before the incident (or where the wait began, if that is later)
// and ends when nothing was refused for 3 s, or after 30 s. Without an incident in the time given,
// it is that of the whole time, and `incident` stays empty.
[[nodiscard]] Result<facts::Observation> await_overflow(const AwaitOptions& options);
// The same over any source of facts; of the options, those for scans and tracing do not matter.
[[nodiscard]] Result<facts::Observation> await_overflow(const AwaitOptions& options,
                                                        WatchSource& source, Handshakes& handshakes,
                                                        ThreadLooks& threads);

}  // namespace acceptq::collect
