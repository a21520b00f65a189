#include "collect/await_overflow.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "collect/observation_parts.h"
#include "collect/routes_back.h"
#include "collect/traced_handshakes.h"
#include "collect/troubled_owners.h"

namespace acceptq::collect {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::int64_t kNsPerMs = 1'000'000;

// How often something is done: at a period while it is cheap, and never for more than a share of
// one core's time.
class Pace {
 public:
  Pace(std::int64_t period_ns, std::int64_t rest_factor)
      : period_ns_(period_ns), rest_factor_(rest_factor) {}

  [[nodiscard]] bool is_due(std::int64_t now) const { return now >= next_ns_; }
  [[nodiscard]] std::int64_t next_ns() const { return next_ns_; }
  void done(std::int64_t begin, std::int64_t end) {
    next_ns_ = begin + std::max(period_ns_, rest_factor_ * (end - begin));
  }

 private:
  std::int64_t period_ns_;
  std::int64_t rest_factor_;
  std::int64_t next_ns_ = 0;
};

// Lengths of the queues that were not empty, for a while back.
class Timeline {
 public:
  void add(std::int64_t at_ns, const std::vector<facts::Listener>& listeners) {
    Moment& moment = moments_.emplace_back(Moment{.at_ns = at_ns, .lengths = {}});
    for (const facts::Listener& listener : listeners) {
      if (listener.accept_queue_len.value() == 0) continue;
      moment.lengths.emplace_back(facts::listener_key(listener), listener.accept_queue_len);
    }
  }
  void forget_before(std::int64_t at_ns) {
    while (!moments_.empty() && moments_.front().at_ns < at_ns) moments_.pop_front();
  }
  // A queue that is missing in a moment was empty.
  [[nodiscard]] std::map<std::string, std::vector<facts::QueuePoint>> by_listener() const {
    std::map<std::string, std::vector<facts::QueuePoint>> lines;
    for (const Moment& moment : moments_) {
      for (const auto& [key, length] : moment.lengths) lines[key];
    }
    for (auto& [key, points] : lines) {
      points.reserve(moments_.size());
      for (const Moment& moment : moments_) {
        const auto seen = std::ranges::find(moment.lengths, key, &Moment::Length::first);
        points.push_back({.at_ns = moment.at_ns,
                          .length = seen != moment.lengths.end() ? seen->second : QueueLength(0)});
      }
    }
    return lines;
  }

 private:
  struct Moment {
    using Length = std::pair<std::string, QueueLength>;
    std::int64_t at_ns;
    std::vector<Length> lengths;
  };
  std::deque<Moment> moments_;
};

std::uint64_t listen_drops(const facts::Namespace& ns) {
  const auto counter = ns.counters.find("TcpExtListenDrops");
  return counter != ns.counters.end() ? counter->second : 0;
}

class Armed {
 public:
  explicit Armed(const AwaitOptions& options)
      : options_(options), scanner_(options.scan), handshakes_(options.trace) {}

  Result<facts::Observation> run() {
    const std::int64_t begin = monotonic_ns();
    constexpr double kLongest = 1e9;  // seconds: without end
    const auto asked =
        static_cast<std::int64_t>(std::min(options_.seconds, kLongest) * kNsPerSecond);
    handshakes_.look_every(std::chrono::seconds(1));
    handshakes_.start();
    if (handshakes_.is_tracing()) rolling_ = Pace(5 * kNsPerSecond, 100);
    if (const Status prepared = prepare(); !prepared) return fail(prepared.error());
    std::int64_t end = begin + asked;
    while (true) {
      const std::int64_t now = monotonic_ns();
      const double elapsed = static_cast<double>(now - begin) / kNsPerSecond;
      if (options_.progress && !options_.progress(elapsed)) break;
      if (now >= end) break;
      if (const Status looked = look(now); !looked) return fail(looked.error());
      if (refused_ns_ != 0 && !incident_) {
        incident_ = facts::Incident{
            .at_ns = refused_ns_,
            .waited_seconds = static_cast<double>(refused_ns_ - begin) / kNsPerSecond};
        at_incident_ = now_;
        dense_ = Pace(50 * kNsPerMs, 10);
        handshakes_.look_every(std::chrono::milliseconds(50));
      }
      if (incident_) {
        end = std::min(refused_ns_ + kQuietNs, incident_->at_ns + kLongestNs);
      }
      wait(end);
    }
    return finish();
  }

 private:
  static constexpr std::int64_t kBeforeNs = 10 * kNsPerSecond;
  static constexpr std::int64_t kQuietNs = 3 * kNsPerSecond;
  static constexpr std::int64_t kLongestNs = 30 * kNsPerSecond;

  struct Base {
    facts::Snapshot snapshot;
    Books books;
  };

  Status prepare() {
    Result<facts::Snapshot> first =
        scanner_.scan(ScanDepth::kFirst, {.after = [this] { opening_ = handshakes_.books(); }});
    if (!first) return fail(std::move(first.error()));
    if (first->scan_method == "iterator") {
      Result<facts::Snapshot> whole = scanner_.scan(ScanDepth::kComplete);
      if (!whole) return fail(std::move(whole.error()));
      complete(*first, std::move(*whole));
    }
    now_ = *first;
    first_ = *first;
    bases_.push_back({.snapshot = std::move(*first), .books = opening_});
    return {};
  }

  Status look(std::int64_t now) {
    if (dense_.is_due(now)) {
      const std::vector<facts::Listener> seen = scanner_.sample(watched_namespaces(now_));
      timeline_.add(now, seen);
      if (incident_) {
        for (const facts::Listener& listener : seen) add_sample(listener, samples_);
      } else {
        timeline_.forget_before(now - 2 * kBeforeNs);
      }
      dense_.done(now, monotonic_ns());
    }
    if (!rolling_.is_due(now)) return {};
    // Of the bases, one is always at least kBeforeNs old.
    const bool is_base = refused_ns_ == 0 && now - bases_.back().snapshot.monotonic_ns >= kBeforeNs;
    Books opening;
    Result<facts::Snapshot> snapshot = scanner_.scan(ScanDepth::kFast, {.after = [&] {
                                                       if (is_base) opening = handshakes_.books();
                                                     }});
    if (!snapshot) return fail(std::move(snapshot.error()));
    carry_over(first_, *snapshot);
    facts::normalize(*snapshot);
    if (!handshakes_.is_tracing()) watch_counters(*snapshot);
    now_ = std::move(*snapshot);
    if (is_base) {
      bases_.push_back({.snapshot = now_, .books = std::move(opening)});
      if (bases_.size() > 2) bases_.pop_front();
    }
    rolling_.done(now, monotonic_ns());
    return {};
  }

  // Without tracing: refusals show in the counters of their namespace.
  void watch_counters(const facts::Snapshot& next) {
    for (const facts::Namespace& ns : next.namespaces) {
      const facts::Namespace* before = facts::find_namespace(now_, ns.id);
      if (before == nullptr || listen_drops(ns) <= listen_drops(*before)) continue;
      const bool concerns =
          !options_.concerns ||
          std::ranges::any_of(next.listeners, [&](const facts::Listener& listener) {
            return listener.netns == ns.id && options_.concerns(next, listener);
          });
      if (concerns) note_refusal(next.monotonic_ns, nullptr);
    }
  }

  void note_refusal(std::int64_t at_ns, const facts::Listener* listener) {
    const bool is_first = refused_ns_ == 0;
    refused_ns_ = std::max(refused_ns_, at_ns);
    if (is_first && options_.on_overflow) options_.on_overflow(now_, listener);
  }

  void take(const facts::Refusal& refusal) {
    const facts::Listener* listener = facts::find_listener(now_, refusal);
    if (listener == nullptr && unknown_.is_due(monotonic_ns())) {
      // It may have begun to listen since the last scan.
      const std::int64_t begin = monotonic_ns();
      if (auto snapshot = scanner_.scan(ScanDepth::kFast)) now_ = std::move(*snapshot);
      unknown_.done(begin, monotonic_ns());
      listener = facts::find_listener(now_, refusal);
    }
    if (options_.concerns && (listener == nullptr || !options_.concerns(now_, *listener))) return;
    note_refusal(refusal.at_ns, listener);
  }

  void wait(std::int64_t end) {
    const std::int64_t until = std::min({end, dense_.next_ns(), rolling_.next_ns()});
    const auto patience = std::chrono::milliseconds(
        std::clamp<std::int64_t>((until - monotonic_ns()) / kNsPerMs + 1, 1, 1000));
    handshakes_.wait(patience, [this](const facts::Refusal& refusal) { take(refusal); });
  }

  Result<facts::Observation> finish() {
    Books closing;
    Result<facts::Snapshot> after =
        scanner_.scan(ScanDepth::kFast, {.before = [&] { closing = handshakes_.books(); }});
    if (!after) return fail(std::move(after.error()));
    facts::Observation observation;
    observation.after = std::move(*after);
    carry_over(first_, observation.after);
    facts::normalize(observation.after);
    Base base = incident_ ? std::move(bases_.front())
                          : Base{.snapshot = first_, .books = std::move(opening_)};
    observation.before = std::move(base.snapshot);
    observation.incident = incident_;
    observation.samples = std::move(samples_);
    timeline_.forget_before(observation.before.monotonic_ns);
    if (incident_) observation.timeline = timeline_.by_listener();
    if (!at_incident_) at_incident_ = now_;
    handshakes_.finish(observation, *at_incident_, base.books, closing, scanner_);
    look_up_routes_back(scanner_, observation);
    describe_troubled_owners(options_.scan, observation);
    measure(observation);
    return observation;
  }

  const AwaitOptions& options_;
  Scanner scanner_;
  TracedHandshakes handshakes_;
  facts::Snapshot first_;
  Books opening_;  // as the first ended
  facts::Snapshot now_;
  std::optional<facts::Snapshot> at_incident_;
  std::deque<Base> bases_;
  Timeline timeline_;
  std::map<std::string, facts::QueueSamples> samples_;
  // A hundredth of one core each, at most.
  Pace dense_{250 * kNsPerMs, 100};
  Pace rolling_{1 * kNsPerSecond, 100};
  Pace unknown_{1 * kNsPerSecond, 100};
  std::int64_t refused_ns_ = 0;  // the last refusal
  std::optional<facts::Incident> incident_;
};

}  // namespace

Result<facts::Observation> await_overflow(const AwaitOptions& options) {
  return Armed(options).run();
}

}  // namespace acceptq::collect
