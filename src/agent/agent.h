// The agent without its front: watches this host, and publishes what it knows after each look.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "agent/frame.h"
#include "agent/host_watch.h"
#include "agent/series_book.h"
#include "base/result.h"

namespace acceptq::agent {

class Agent {
 public:
  struct Options {
    std::int64_t interval_ns = 5'000'000'000;
    bool looks_for_causes = true;
    BookOptions book;
  };
  // Is told of what could not be done, for the log.
  using Teller = std::function<void(const Error&)>;

  // The references are to outlive it.
  Agent(const Options& options, collect::WatchSource& source, collect::Handshakes& handshakes,
        collect::ThreadLooks& threads, Teller teller);

  // Fails where nothing can be scanned. The first frame is published then.
  [[nodiscard]] Status begin();

  // Watches until the time, or until something came that is worth a look at what to do.
  void tend(std::int64_t until_ns);

  // From the next look on.
  void set_interval(std::int64_t interval_ns) { watch_.set_interval(interval_ns); }

  // The newest. From any thread, once it has begun.
  [[nodiscard]] std::shared_ptr<const Frame> frame() const;

  // What is observed next, as JSON (facts::to_json): within two seconds or some more. Null where
  // it does not come within `patience`. From any thread but that of tend().
  [[nodiscard]] std::shared_ptr<const std::string> next_observation(
      std::chrono::milliseconds patience);
  // Nothing is observed any more: who waits for it gets null.
  void end();

 private:
  void take(const facts::Observation& observation, std::int64_t begin_ns);
  void note_failure(const Error& error);
  void publish(Frame frame);
  void hand_over(const facts::Observation& observation);
  [[nodiscard]] bool is_wanted() const;

  collect::WatchSource& source_;
  collect::Handshakes& handshakes_;
  Teller teller_;
  HostWatch watch_;
  SeriesBook book_;
  AgentState state_;
  mutable std::mutex mutex_;
  // Guarded by it:
  std::shared_ptr<const Frame> frame_;
  std::uint32_t wanting_ = 0;                       // who wait for the next observation
  std::uint64_t handed_over_ = 0;                   // observations
  std::shared_ptr<const std::string> observation_;  // the last of these, while somebody waits
  bool ended_ = false;
  std::condition_variable handed_over_now_;  // or ended
};

}  // namespace acceptq::agent
