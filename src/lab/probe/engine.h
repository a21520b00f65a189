// One run of the load: the epoll loop behind probe().
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/unique_fd.h"
#include "lab/probe/probe.h"

namespace acceptq::lab::probe {

// Used by one thread, once.
class Engine {
 public:
  Engine(const ProbeOptions& options, const std::atomic<bool>* stop,
         const ProgressCallback& progress);
  [[nodiscard]] Result<ProbeResult> run();

 private:
  enum class Phase { kFree, kConnecting, kAwaitingReply, kHolding };
  struct Attempt {
    UniqueFd fd;
    Phase phase = Phase::kFree;
    std::uint32_t generation = 0;  // tells a reused slot from the one a deadline was set for
    std::int64_t started_ns = 0;
    AttemptFacts facts;
  };
  struct Deadline {
    std::int64_t at_ns = 0;
    std::size_t slot = 0;
    std::uint32_t generation = 0;
  };

  [[nodiscard]] Status open();
  void start_due(std::int64_t now_ns);
  [[nodiscard]] bool arrivals_over(std::int64_t now_ns) const;
  void start_one(std::int64_t now_ns);
  [[nodiscard]] int open_socket(UniqueFd& fd);
  void on_event(std::size_t slot, std::uint32_t events, std::int64_t now_ns);
  void on_connected(std::size_t slot, std::int64_t now_ns);
  void on_readable(std::size_t slot, std::int64_t now_ns);
  void watch(std::size_t slot, Phase phase, std::uint32_t events, std::int64_t deadline_ns);
  void expire(std::deque<Deadline>& deadlines, std::int64_t now_ns);
  void finish(std::size_t slot);
  void release(std::size_t slot);
  void count_outcome(const AttemptFacts& facts);
  void arm_timer(std::int64_t now_ns);
  void report(std::int64_t now_ns);

  const ProbeOptions& options_;
  const std::atomic<bool>* stop_;
  const ProgressCallback& progress_;
  UniqueFd epoll_;
  UniqueFd timer_;
  std::vector<Attempt> attempts_;
  std::vector<std::size_t> free_;
  // Equal time-outs make each queue ascending, so the first entry is the next to expire.
  std::deque<Deadline> connect_deadlines_;
  std::deque<Deadline> reply_deadlines_;
  std::deque<Deadline> hold_deadlines_;
  std::vector<std::chrono::milliseconds> schedule_;
  std::uint32_t scope_ = 0;  // of a link-local address
  std::int64_t begun_ns_ = 0;
  std::int64_t last_start_ns_ = 0;
  std::int64_t reported_ns_ = 0;
  std::uint64_t arrivals_ = 0;  // made or missed
  std::uint64_t connected_ = 0;
  std::uint32_t outstanding_ = 0;
  ProbeResult result_;
};

}  // namespace acceptq::lab::probe
