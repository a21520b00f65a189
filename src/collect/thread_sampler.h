// Where the threads are that accept for listeners in trouble; nothing is read while none is.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "collect/accept_threads.h"
#include "collect/pace.h"
#include "collect/queue_sampler.h"
#include "collect/sampler.h"
#include "collect/thread_looks.h"

namespace acceptq::collect {

// A listener is in trouble from the moment that its queue was seen filling, or that its socket's
// sk_drops were seen to have grown, for as long as that goes on and five seconds more.
class ThreadSampler final : public Sampler {
 public:
  // `queues` tells of lengths; it is to be tended before this one.
  ThreadSampler(const QueueSampler& queues, ThreadLooks& threads)
      : queues_(queues), threads_(threads) {}

  // As if nothing had been seen before.
  void begin_anew();

  void see(const facts::Snapshot& latest) override;
  [[nodiscard]] std::int64_t next_ns() const override;
  // A process that has the listener is gone: a master may have begun another.
  [[nodiscard]] bool wants_scan() const override { return is_owner_gone_; }
  void tend(std::int64_t now_ns) override;
  void put(Mark from, Mark to, facts::Observation& observation) override;
  // A listener is in trouble, and too few looks were had for shares that mean something.
  [[nodiscard]] bool wants_more() const { return !in_trouble_.empty() && looks_ < kFewestLooks; }

 private:
  struct Trouble {
    facts::Listener listener;  // of the last scan, with its owners
    std::int64_t until_ns = 0;
  };

  void look_for_trouble(std::int64_t now_ns, const std::vector<facts::Listener>& seen);
  void count_time(std::int64_t now_ns, const ThreadsSeen& seen);
  void note_elsewhere(const ThreadsSeen& seen);
  void note_gone(const std::vector<WatchedProcess>& watched, const ThreadsSeen& seen);

  const QueueSampler& queues_;
  ThreadLooks& threads_;
  Pace pace_ = kLooking;
  std::int64_t judged_ns_ = 0;                  // the moment of lengths that was looked at last
  const facts::Snapshot* latest_ = nullptr;     // of the last scan, until the next one
  std::map<std::string, std::uint32_t> drops_;  // by listener_key, of those that have dropped any
  std::map<std::string, Trouble> in_trouble_;   // likewise
  AcceptThreads seen_;
  std::uint32_t looks_ = 0;                // since it began to watch
  std::map<Pid, std::uint64_t> switches_;  // of each thread, at the last look
  std::int64_t looked_ns_ = 0;             // when that was
  bool is_restless_ = false;               // threads switch too often to be counted
  bool is_owner_gone_ = false;             // since the last scan
  std::set<Pid> elsewhere_;                // WatchedProcess::wants_descriptors
  std::map<Pid, int> in_vain_;  // looks at which it waited by an epoll for a listener in trouble

  static constexpr std::uint32_t kFewestLooks = 10;
  // A look every 20 ms, for a hundredth of one core at most, or as few as six a second.
  static constexpr Pace kLooking{20'000'000, 100};
};

// One look, for an observation of one moment.
void look_at_threads(ThreadLooks& threads, facts::Observation& observation);

}  // namespace acceptq::collect
