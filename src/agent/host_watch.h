// An endless watch over this host: one observation after the other, each from where the last one
// ended, seldom while all is well and often while a listener is in trouble.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "collect/handshake_sampler.h"
#include "collect/pace.h"
#include "collect/queue_sampler.h"
#include "collect/thread_looks.h"
#include "collect/thread_sampler.h"
#include "collect/watch.h"
#include "facts/snapshot.h"

namespace acceptq::agent {

// Not thread-safe.
class HostWatch {
 public:
  // The references are to outlive it.
  HostWatch(std::int64_t interval_ns, bool looks_for_causes, collect::WatchSource& source,
            collect::Handshakes& handshakes, collect::ThreadLooks& threads);

  // Looks at everything once: an observation of one moment. Fails where nothing can be scanned.
  [[nodiscard]] Result<facts::Observation> begin();

  // Between two observations while all is well.
  void set_interval(std::int64_t interval_ns);
  // The same, as far as what they take lets them come so often.
  [[nodiscard]] std::int64_t longest_pause_ns() const;

  // The next observation is wanted within as long as `check` watches.
  void hurry();

  // Does what is due, and rests until the next observation is, something comes, or `until_ns`.
  void tend(std::int64_t until_ns);

  // What happened since the last one, if it is time for one.
  [[nodiscard]] std::optional<Result<facts::Observation>> next();

 private:
  void take(const facts::Refusal& refusal);
  void set_alert(std::int64_t now_ns);
  void calm_down();
  [[nodiscard]] bool is_alert() const { return alert_until_ns_ > 0; }

  std::int64_t interval_ns_;
  collect::WatchSource& source_;
  collect::QueueSampler queues_;
  collect::ThreadSampler threads_;
  collect::HandshakeSampler handshakes_;
  collect::Watch watch_;
  collect::Pace pace_;
  collect::Pace thorough_;
  collect::Pace meeting_;         // listeners that began after the last scan
  std::int64_t scan_cpu_ns_ = 0;  // what the last observation took
  collect::Mark last_ = 0;
  std::int64_t alert_until_ns_ = 0;  // 0: all is well
  std::int64_t judged_ns_ = 0;       // the last sample of queues that was looked at
};

}  // namespace acceptq::agent
