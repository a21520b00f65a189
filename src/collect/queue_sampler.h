// Lengths of accept queues between two scans.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "collect/pace.h"
#include "collect/sampler.h"
#include "collect/watch_source.h"

namespace acceptq::collect {

// A sample every 50 ms catches a queue that is full for a tenth of a second; a sample that is
// itself slow is taken less often.
inline constexpr Pace kDenseSampling{50'000'000, 10};

class QueueSampler final : public Sampler {
 public:
  QueueSampler(WatchSource& source, Pace pace) : source_(source), pace_(pace) {}

  // From now on at this pace, as if nothing had been sampled before; the line of lengths goes on.
  void begin_anew(Pace pace);
  // Keeps the line of each queue's lengths for so long, for the observations to come.
  void keep_line(std::int64_t ns) { line_ns_ = ns; }

  // The last sample, and when it was taken; 0: none yet.
  [[nodiscard]] const std::vector<facts::Listener>& newest() const { return newest_; }
  [[nodiscard]] std::int64_t newest_ns() const { return newest_ns_; }

  void see(const facts::Snapshot& latest) override;
  [[nodiscard]] std::int64_t next_ns() const override { return pace_.next_ns(); }
  void tend(std::int64_t now_ns) override;
  // `samples` are those since the last observation that was put together.
  void put(Mark from, Mark to, facts::Observation& observation) override;

 private:
  // The queues that were not empty.
  struct Moment {
    using Length = std::pair<std::string, QueueLength>;
    std::int64_t at_ns;
    std::vector<Length> lengths;
  };

  // The line of lengths goes on with what a sample or a scan saw: it ends with what is reported.
  void go_on(std::int64_t at_ns, const std::vector<facts::Listener>& listeners);
  void forget_before(std::int64_t at_ns);
  [[nodiscard]] std::map<std::string, std::vector<facts::QueuePoint>> lines() const;

  WatchSource& source_;
  Pace pace_;
  std::int64_t line_ns_ = 0;
  std::vector<NetnsId> watched_;
  std::vector<facts::Listener> newest_;
  std::int64_t newest_ns_ = 0;
  std::map<std::string, facts::QueueSamples> samples_;
  std::deque<Moment> moments_;
};

}  // namespace acceptq::collect
