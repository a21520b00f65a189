// The agent without its front: watches this host, and publishes what it knows after each look.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

#include "agent/frame.h"
#include "agent/host_watch.h"
#include "agent/series_book.h"
#include "base/result.h"

namespace acceptq::agent {

// What is shown after one look; never changed once it is published.
struct Published {
  Frame frame;
  facts::Observation observation;  // the last one, for `check --agent`
};

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
  [[nodiscard]] std::shared_ptr<const Published> published() const;

 private:
  void take(facts::Observation observation, std::int64_t begin_ns);
  void note_failure(const Error& error);
  void publish(facts::Observation observation);

  collect::WatchSource& source_;
  collect::Handshakes& handshakes_;
  Teller teller_;
  HostWatch watch_;
  SeriesBook book_;
  AgentState state_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Published> published_;  // guarded
};

}  // namespace acceptq::agent
