#include "collect/await_overflow.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "collect/handshake_sampler.h"
#include "collect/host_source.h"
#include "collect/host_threads.h"
#include "collect/pace.h"
#include "collect/queue_sampler.h"
#include "collect/thread_sampler.h"
#include "collect/traced_handshakes.h"
#include "collect/watch.h"

namespace acceptq::collect {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::int64_t kNsPerMs = 1'000'000;
// What is kept of the time before a refusal, at least; one observation begins up to twice as early.
constexpr std::int64_t kBeforeNs = 10 * kNsPerSecond;
constexpr std::int64_t kQuietNs = 3 * kNsPerSecond;
constexpr std::int64_t kLongestNs = 30 * kNsPerSecond;

// A hundredth of one core each, at most, while nothing happens.
constexpr Pace kArmedSampling{250 * kNsPerMs, 100};
constexpr Pace kLookingForUnknown{1 * kNsPerSecond, 100};

// How often everything is scanned; by tracing refusals are heard of anyway.
Pace rolling(bool is_traced) { return {(is_traced ? 5 : 1) * kNsPerSecond, 100}; }

class Armed {
 public:
  Armed(const AwaitOptions& options, WatchSource& source, Handshakes& traced, ThreadLooks& threads)
      : options_(options),
        source_(source),
        traced_(traced),
        queues_(source, kArmedSampling),
        threads_(queues_, threads),
        handshakes_(source, traced),
        watch_(source, {&queues_, &threads_, &handshakes_}),
        rolling_(rolling(traced.source().has_value())) {}

  Result<facts::Observation> run() {
    const std::int64_t begin = source_.now_ns();
    queues_.keep_line(2 * kBeforeNs);
    handshakes_.look_every(kNsPerSecond);
    handshakes_.on_refusal([this](const facts::Refusal& refusal) { take(refusal); });
    if (const Status begun = watch_.begin(); !begun) return fail(begun.error());
    bases_.push_back({.mark = watch_.first(), .at_ns = watch_.latest().monotonic_ns});
    counted_ = counts(watch_.latest(), handshakes_.base(watch_.first()).books);

    constexpr double kLongest = 1e9;  // seconds: without end
    std::int64_t end =
        begin + static_cast<std::int64_t>(std::min(options_.seconds, kLongest) * kNsPerSecond);
    while (true) {
      const std::int64_t now = source_.now_ns();
      const double elapsed = static_cast<double>(now - begin) / kNsPerSecond;
      if (options_.progress && !options_.progress(elapsed)) break;
      if (now >= end) break;
      if (rolling_.is_due(now)) {
        if (const Status rolled = roll(now); !rolled) return fail(rolled.error());
        rolling_.done(now, source_.now_ns());
      }
      if (refused_ns_ != 0 && !incident_) begin_incident(begin);
      if (incident_) end = std::min(refused_ns_ + kQuietNs, incident_->at_ns + kLongestNs);
      watch_.tend(std::min(end, rolling_.next_ns()));
    }
    return finish();
  }

 private:
  struct Base {
    Mark mark;
    std::int64_t at_ns;
  };
  using Endpoint = std::tuple<NetnsId, facts::IpAddress, std::uint16_t>;
  // What refusals show in: ledgers of listeners, and ListenDrops of namespaces where none is kept.
  struct Counts {
    std::map<Endpoint, std::uint64_t> refused;
    std::map<NetnsId, std::uint64_t> drops;
  };

  [[nodiscard]] Counts counts(const facts::Snapshot& snapshot, const Books& books) const {
    Counts now;
    if (traced_.source()) {
      for (const facts::Ledger& ledger : books.ledgers) {
        now.refused[{ledger.netns, ledger.address, ledger.port}] += facts::refused_packets(ledger);
      }
      return now;
    }
    for (const facts::Namespace& ns : snapshot.namespaces) {
      const auto counter = ns.counters.find("TcpExtListenDrops");
      now.drops[ns.id] = counter != ns.counters.end() ? counter->second : 0;
    }
    return now;
  }

  // Of the bases, one is always at least kBeforeNs old.
  Status roll(std::int64_t now) {
    if (refused_ns_ == 0 && now - bases_.back().at_ns >= kBeforeNs) {
      const Result<Mark> mark = watch_.mark();
      if (!mark) return fail(mark.error());
      bases_.push_back({.mark = *mark, .at_ns = watch_.latest().monotonic_ns});
      if (bases_.size() > 2) {
        watch_.forget(bases_.front().mark);
        bases_.pop_front();
      }
    } else if (const Status looked = watch_.look(); !looked) {
      return looked;
    }
    Counts counted = counts(watch_.latest(), traced_.books());
    look_for_growth(counted);
    counted_ = std::move(counted);
    return {};
  }

  // Refusals are told one by one only as far as there is room for it: what they add up to is looked
  // at as well.
  void look_for_growth(const Counts& counted) {
    const facts::Snapshot& now = watch_.latest();
    const auto concerns = [&](const facts::Listener& listener) {
      return !options_.concerns || options_.concerns(now, listener);
    };
    for (const facts::Listener& listener : now.listeners) {
      if (listener.protocol != facts::Protocol::kTcp || !concerns(listener)) continue;
      const Endpoint endpoint(listener.netns, listener.address, listener.port);
      if (grew(counted.refused, counted_.refused, endpoint)) {
        note_refusal(now.monotonic_ns, &listener);
      } else if (grew(counted.drops, counted_.drops, listener.netns)) {
        note_refusal(now.monotonic_ns, nullptr);
      }
    }
  }

  template <typename Key>
  static bool grew(const std::map<Key, std::uint64_t>& now,
                   const std::map<Key, std::uint64_t>& before, const Key& key) {
    const auto later = now.find(key);
    if (later == now.end()) return false;
    const auto earlier = before.find(key);
    // A namespace that was not there before may have counted long ago; a ledger began with it.
    if (earlier == before.end()) return std::is_same_v<Key, Endpoint> && later->second > 0;
    return later->second > earlier->second;
  }

  void begin_incident(std::int64_t begin) {
    incident_ =
        facts::Incident{.at_ns = refused_ns_,
                        .waited_seconds = static_cast<double>(refused_ns_ - begin) / kNsPerSecond};
    handshakes_.know(watch_.latest());
    constexpr std::int64_t kDenseNs = 50 * kNsPerMs;
    handshakes_.look_every(kDenseNs);
    handshakes_.follow_course();
    queues_.keep_line(2 * kBeforeNs + kLongestNs + kQuietNs);
    queues_.begin_anew(kDenseSampling);
    threads_.begin_anew();
  }

  void note_refusal(std::int64_t at_ns, const facts::Listener* listener) {
    const bool is_first = refused_ns_ == 0;
    refused_ns_ = std::max(refused_ns_, at_ns);
    if (is_first && options_.on_overflow) options_.on_overflow(watch_.latest(), listener);
  }

  void take(const facts::Refusal& refusal) {
    // What came while the first scan was made is no part of any observation.
    if (refusal.at_ns <= handshakes_.base(watch_.first()).at_ns) return;
    const facts::Listener* listener = facts::find_listener(watch_.latest(), refusal);
    if (const std::int64_t now = source_.now_ns(); listener == nullptr && unknown_.is_due(now)) {
      // It may have begun to listen since the last scan. Without this scan it stays unknown.
      static_cast<void>(watch_.look());
      unknown_.done(now, source_.now_ns());
      listener = facts::find_listener(watch_.latest(), refusal);
    }
    if (options_.concerns &&
        (listener == nullptr || !options_.concerns(watch_.latest(), *listener))) {
      return;
    }
    note_refusal(refusal.at_ns, listener);
  }

  Result<facts::Observation> finish() {
    if (!incident_) handshakes_.know(watch_.latest());
    Result<facts::Observation> observation =
        watch_.finish(incident_ ? bases_.front().mark : watch_.first());
    if (!observation) return observation;
    observation->incident = incident_;
    if (!incident_) {
      observation->timeline.clear();
      observation->samples.clear();
    }
    return observation;
  }

  const AwaitOptions& options_;
  WatchSource& source_;
  Handshakes& traced_;
  QueueSampler queues_;
  ThreadSampler threads_;
  HandshakeSampler handshakes_;
  Watch watch_;
  Pace rolling_;
  Pace unknown_ = kLookingForUnknown;
  std::deque<Base> bases_;
  Counts counted_;               // at the last scan
  std::int64_t refused_ns_ = 0;  // the last refusal
  std::optional<facts::Incident> incident_;
};

}  // namespace

Result<facts::Observation> await_overflow(const AwaitOptions& options, WatchSource& source,
                                          Handshakes& handshakes, ThreadLooks& threads) {
  return Armed(options, source, handshakes, threads).run();
}

Result<facts::Observation> await_overflow(const AwaitOptions& options) {
  HostSource host(options.scan);
  TracedHandshakes handshakes(options.trace);
  HostThreads threads(options.scan.proc_root);
  return await_overflow(options, host, handshakes, threads);
}

}  // namespace acceptq::collect
