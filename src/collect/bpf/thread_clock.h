// The exact time of chosen threads by the scheduler's tracepoints: loads once, runs while it is
// wanted.
#pragma once

#include <memory>
#include <span>

#include "base/result.h"
#include "collect/bpf/thread_times.h"
#include "collect/thread_look.h"

namespace acceptq::collect::bpf {

// Needs what ThreadIterator needs. While it runs every switch of the host costs
// (docs/performance.md says what). Not thread-safe.
class ThreadClock {
 public:
  // Loads, and attaches nothing.
  [[nodiscard]] static Result<ThreadClock> Create();
  ThreadClock(ThreadClock&&) noexcept;
  ThreadClock& operator=(ThreadClock&&) noexcept;
  ~ThreadClock();

  // Runs from now on, for these threads too: those whose `kernel_tid` is known, and of more than
  // 4,096 the first ones.
  [[nodiscard]] Status count(std::span<const ThreadLook> threads);
  // What was counted since it began to run; it does not run any more and knows no thread.
  [[nodiscard]] ClockReading stop();

 private:
  class Impl;
  explicit ThreadClock(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace acceptq::collect::bpf
