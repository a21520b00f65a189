// Observations one after the other, each from where the last one ended.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "collect/observe.h"
#include "collect/traced_handshakes.h"
#include "facts/snapshot.h"

namespace acceptq::collect {

// Not thread-safe.
class LiveView {
 public:
  LiveView(const ScanOptions& scan, const bpf::TraceOptions& trace);

  // Looks at everything once. Fails where nothing can be scanned.
  [[nodiscard]] Status begin();

  // To be called every few dozen milliseconds: samples queues when it is time, and never for more
  // than a tenth of one core.
  void tend();

  // What happened since the last frame, or since begin().
  [[nodiscard]] Result<facts::Observation> frame();

  // What was counted since begin().
  [[nodiscard]] const std::vector<facts::Ledger>& totals() const { return totals_.ledgers; }

 private:
  ScanOptions options_;
  Scanner scanner_;
  TracedHandshakes handshakes_;
  facts::Snapshot first_;
  facts::Snapshot last_;
  Books opening_;  // as the last frame ended
  Books totals_;
  std::map<std::string, facts::QueueSamples> samples_;
  std::int64_t next_sample_ns_ = 0;
};

}  // namespace acceptq::collect
