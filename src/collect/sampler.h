// One kind of evidence that is gathered while a watch goes on. To add one: docs/architecture.md.
#pragma once

#include <cstdint>

#include "facts/snapshot.h"

namespace acceptq::collect {

// A moment of a watch that observations begin or end at: that of a scan.
using Mark = std::uint64_t;

class Sampler {
 public:
  Sampler() = default;
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;
  virtual ~Sampler() = default;

  // Before the first scan: what takes long to set up.
  virtual void start() {}
  // After each scan, the first one included. It is there until the next one has been seen.
  virtual void see(const facts::Snapshot& /*latest*/) {}

  // When it wants to be called next, on the clock of the watch. It never takes more than a tenth of
  // one core.
  [[nodiscard]] virtual std::int64_t next_ns() const = 0;
  virtual void tend(std::int64_t now_ns) = 0;
  // What the last scan told of owners is no longer so.
  [[nodiscard]] virtual bool wants_scan() const { return false; }
  // Readable where it wants to be called at once; negative: it never does.
  [[nodiscard]] virtual int event_fd() const { return -1; }

  // Right before and right after the kernel's counters are read for the scan of a mark: what is
  // compared with them is read then, so that it never claims more than they do.
  virtual void before_counters(Mark /*mark*/) {}
  virtual void after_counters(Mark /*mark*/) {}
  // No observation begins or ends at it any more.
  virtual void forget(Mark /*mark*/) {}

  // Puts what was gathered between two marks into their observation, which has both snapshots.
  virtual void put(Mark from, Mark to, facts::Observation& observation) = 0;
};

}  // namespace acceptq::collect
