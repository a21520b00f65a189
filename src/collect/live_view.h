// Observations one after the other, each from where the last one ended.
#pragma once

#include <vector>

#include "base/result.h"
#include "collect/handshake_sampler.h"
#include "collect/host_source.h"
#include "collect/host_threads.h"
#include "collect/queue_sampler.h"
#include "collect/thread_sampler.h"
#include "collect/traced_handshakes.h"
#include "collect/watch.h"
#include "facts/snapshot.h"

namespace acceptq::collect {

// Not thread-safe.
class LiveView {
 public:
  LiveView(const ScanOptions& scan, const bpf::TraceOptions& trace);

  // Looks at everything once. Fails where nothing can be scanned.
  [[nodiscard]] Status begin();

  // To be called every few dozen milliseconds: does what is due, and does not wait.
  void tend();

  // What happened since the last frame, or since begin().
  [[nodiscard]] Result<facts::Observation> frame();

  // What was counted since begin().
  [[nodiscard]] const std::vector<facts::Ledger>& totals() const {
    return handshakes_.totals(last_);
  }

 private:
  HostSource host_;
  TracedHandshakes traced_;
  QueueSampler queues_;
  HostThreads host_threads_;
  ThreadSampler threads_;
  HandshakeSampler handshakes_;
  Watch watch_;
  Mark last_ = 0;
};

}  // namespace acceptq::collect
