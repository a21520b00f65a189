#include "agent/series_book.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "facts/ledger.h"

namespace acceptq::agent {
namespace {

using facts::LedgerTerm;

// How long what was seen once is shown: whoever asks comes more often than that.
constexpr std::int64_t kShownNs = 60'000'000'000;

std::uint64_t of(const facts::Ledger& ledger, LedgerTerm term) { return ledger[term].value_or(0); }

// The refused packets of one interval, by stage and reason.
std::array<std::uint64_t, kRefusedKinds> refused_of(const facts::Ledger& ledger) {
  std::array<std::uint64_t, kRefusedKinds> refused{};
  const auto at = [&](RefusedAs kind) -> std::uint64_t& {
    return refused[static_cast<std::size_t>(kind)];
  };
  const std::uint64_t at_syn = facts::refused_at_syn(ledger).value_or(0);
  const std::uint64_t at_ack = facts::refused_at_ack(ledger).value_or(0);
  at(RefusedAs::kSynAcceptFull) = of(ledger, LedgerTerm::kSynRefusedAcceptFull);
  // With cookies off its last quarter is for proven peers: for all others it is full.
  at(RefusedAs::kSynSynFull) =
      of(ledger, LedgerTerm::kSynRefusedSynFull) + of(ledger, LedgerTerm::kSynRefusedReserve);
  at(RefusedAs::kSynOther) =
      at_syn - std::min(at_syn, at(RefusedAs::kSynAcceptFull) + at(RefusedAs::kSynSynFull));
  at(RefusedAs::kAckAcceptFull) =
      of(ledger, LedgerTerm::kAckRefusedFull) + of(ledger, LedgerTerm::kCookieAckRefusedFull);
  at(RefusedAs::kAckOther) = at_ack - std::min(at_ack, at(RefusedAs::kAckAcceptFull));
  return refused;
}

// Four buckets to an octave of a microsecond, so a value's bucket lies below one bound of ours.
void add_waits(const facts::Histogram& histogram, Waits& waits) {
  constexpr double kNsPerSecond = 1e9;
  for (const facts::Bucket& bucket : histogram) {
    const auto bound =
        std::ranges::find_if(kWaitBoundsNs, [&](std::uint64_t ns) { return bucket.below <= ns; });
    waits.counts[static_cast<std::size_t>(bound - kWaitBoundsNs.begin())] += bucket.count;
    // Buckets are from a fifth to a seventh of their bound wide.
    constexpr double kMiddle = 0.92;
    waits.sum_s += kMiddle * static_cast<double>(bucket.below) / kNsPerSecond *
                   static_cast<double>(bucket.count);
  }
}

template <typename T>
void add_to(std::optional<T>& total, const std::optional<T>& growth) {
  if (growth) total = total.value_or(T{}) + *growth;
}

// How near to losing connections.
double fullness(QueueLength length, std::optional<QueueLimit> limit) {
  return static_cast<double>(length.value() + 1) /
         static_cast<double>(limit.value_or(QueueLimit(0)).value() + 1);
}

void add_socket(const facts::Listener& listener, std::optional<Seen>& seen) {
  if (!seen) seen = Seen{.length = listener.accept_queue_len, .limit = listener.limit};
  ++seen->sockets;
  if (fullness(listener.accept_queue_len, listener.limit) > fullness(seen->length, seen->limit)) {
    seen->length = listener.accept_queue_len;
    seen->limit = listener.limit;
  }
  add_to(seen->syn_length, listener.syn_queue_len);
}

bool is_refusing(const facts::Ledger* ledger) {
  return ledger != nullptr && facts::refused_packets(*ledger) > 0;
}

// What is counted at this level of tracing, and was not there yet. By tracepoints, whether waits
// can be timed shows with the first.
void begin_at_zero(std::optional<facts::Source> tracing, ListenerSeries& series) {
  if (tracing && !series.attempts_refused) series.attempts_refused = 0;
  if (tracing == facts::Source::kFunctions && !series.waits) {
    series.accepted = 0;
    series.waits.emplace();
  }
}

void add_ledger(const facts::Ledger& ledger, ListenerSeries& series) {
  const auto refused = refused_of(ledger);
  for (std::size_t kind = 0; kind < kRefusedKinds; ++kind) series.refused[kind] += refused[kind];
  add_to(series.attempts_refused, ledger[LedgerTerm::kAttemptsRefused]);
  add_to(series.accepted, ledger[LedgerTerm::kAccepted]);
  if (facts::is_mostly_timed(ledger)) {
    if (!series.waits) series.waits.emplace();
    add_waits(ledger.time_in_queue_ns, *series.waits);
  }
}

// As long as it was at least: no sample may have come while it was full.
QueueLength longest_of(const facts::Observation& observation, const facts::Listener& listener,
                       const std::string& key, const facts::Ledger* ledger) {
  QueueLength longest = listener.accept_queue_len;
  if (const auto sampled = observation.samples.find(key); sampled != observation.samples.end()) {
    longest = std::max(longest, sampled->second.longest);
  }
  if (ledger != nullptr && listener.limit) {
    const auto refused = refused_of(*ledger);
    const bool was_full = refused[static_cast<std::size_t>(RefusedAs::kSynAcceptFull)] > 0 ||
                          refused[static_cast<std::size_t>(RefusedAs::kAckAcceptFull)] > 0;
    // It refuses when it holds more than the limit.
    if (was_full) longest = std::max(longest, QueueLength(listener.limit->value() + 1));
  }
  return longest;
}

}  // namespace

void SeriesBook::add(const facts::Observation& observation) {
  ++scan_;
  const std::vector<const facts::Ledger*> ledgers = facts::ledgers_of(observation);
  see(observation, ledgers);
  count_unnamed(observation, ledgers);
  see_namespaces(observation.after);
  forget(observation.after.monotonic_ns);
}

SeriesBook::Kept* SeriesBook::series_of(const Labels& labels, bool is_refusing) {
  if (const auto found = kept_.find(labels); found != kept_.end()) {
    found->second.was_refusing |= is_refusing;
    return &found->second;
  }
  if (kept_.size() >= options_.most_series) {
    if (!is_refusing) return nullptr;
    // What refuses connections is worth more than what never did.
    const auto idle =
        std::ranges::find_if(kept_, [](const auto& entry) { return !entry.second.was_refusing; });
    if (idle == kept_.end()) return nullptr;
    kept_.erase(idle);
  }
  Kept& kept = kept_[labels];
  kept.was_refusing = is_refusing;
  return &kept;
}

// A socket whose owner has just ended, or cannot be read for once, goes by the name that it had.
SeriesBook::Names::value_type& SeriesBook::name(const Labeller& labeller,
                                                const facts::Listener& listener) {
  Labels labels = labeller.of(listener);
  const auto [found, is_new] = names_.try_emplace(facts::listener_key(listener));
  Named& named = found->second;
  if (is_new || !labels.process.empty()) named.labels = std::move(labels);
  named.scan = scan_;
  return *found;
}

void SeriesBook::see(const facts::Observation& observation, const Ledgers& ledgers) {
  const facts::Snapshot& now = observation.after;
  const Labeller labeller(now);
  for (auto& [labels, kept] : kept_) {
    kept.series.seen.reset();
    kept.series.estimated_wait_s.reset();
  }
  lived_in_.clear();
  unjudged_.clear();
  tally_.listeners = tally_.unexported = 0;
  std::vector<Names::value_type*> named;
  named.reserve(now.listeners.size());
  for (const facts::Listener& listener : now.listeners) named.push_back(&name(labeller, listener));
  // Where there is not room for all, those that refuse choose first.
  for (std::size_t i = 0; i < ledgers.size(); ++i) {
    if (is_refusing(ledgers[i])) static_cast<void>(series_of(named[i]->second.labels, true));
  }
  for (std::size_t i = 0; i < now.listeners.size(); ++i) {
    const facts::Listener& listener = now.listeners[i];
    const facts::Ledger* ledger = ledgers[i];
    auto& [key, socket] = *named[i];
    if (!listener.closed) ++tally_.listeners;
    Kept* kept = series_of(socket.labels, false);
    if (kept == nullptr) {
      if (!listener.closed) ++tally_.unexported;
      if (ledger != nullptr) tally_.unexported_refused += facts::refused_packets(*ledger);
      continue;
    }
    ListenerSeries& series = kept->series;
    series.protocol = listener.protocol;
    kept->seen_ns = now.monotonic_ns;
    if (listener.protocol == facts::Protocol::kTcp) begin_at_zero(observation.tracing, series);
    if (ledger != nullptr) add_ledger(*ledger, series);
    const QueueLength longest = longest_of(observation, listener, key, ledger);
    if (longest.value() > 0) kept->points.push_back({now.monotonic_ns, longest});
    if (listener.closed) continue;
    add_socket(listener, series.seen);
    lived_in_.emplace(listener.netns, namespace_labels(socket.labels));
    const bool is_changed = std::exchange(socket.limit, listener.limit) != listener.limit;
    if (!series.limit_set_by || is_changed) unjudged_.insert(listener.netns);
  }
}

// Of listeners that came and went between two scans nobody knows whose they were.
void SeriesBook::count_unnamed(const facts::Observation& observation, const Ledgers& ledgers) {
  const std::set<const facts::Ledger*> known(ledgers.begin(), ledgers.end());
  for (const facts::Ledger& ledger : observation.ledgers) {
    if (!known.contains(&ledger)) tally_.unexported_refused += facts::refused_packets(ledger);
  }
}

void SeriesBook::see_namespaces(const facts::Snapshot& now) {
  namespaces_.clear();
  for (const facts::Namespace& ns : now.namespaces) {
    const auto labels = lived_in_.find(ns.id);
    if (labels == lived_in_.end() && ns.is_host != true) continue;
    NamespaceSeries& series =
        namespaces_[labels != lived_in_.end() ? labels->second : Labeller(now).of(ns)];
    for (const NamespaceCounter& each : kNamespaceCounters) {
      if (const auto found = ns.counters.find(each.counter); found != ns.counters.end()) {
        series.counters[each.metric] += found->second;
      }
    }
    if (const auto found = ns.sysctls.find(facts::kSomaxconn);
        found != ns.sysctls.end() && found->second.state == facts::SysctlState::kValue) {
      series.somaxconn = found->second.value;
    }
  }
}

void SeriesBook::forget(std::int64_t now_ns) {
  std::erase_if(names_, [&](const auto& entry) { return entry.second.scan != scan_; });
  std::erase_if(
      kept_, [&](const auto& entry) { return now_ns - entry.second.seen_ns > options_.forget_ns; });
  for (auto& [labels, kept] : kept_) {
    auto& points = kept.points;
    std::erase_if(points, [&](const Point& point) { return now_ns - point.at_ns > kShownNs; });
    if (now_ns - kept.caused_ns > kShownNs) kept.series.causes.clear();
    kept.series.longest = QueueLength(0);
    for (const Point& point : points) {
      kept.series.longest = std::max(kept.series.longest, point.length);
    }
  }
}

void SeriesBook::add(const facts::Observation& part, const diagnose::Report& report) {
  const std::vector<const facts::Ledger*> ledgers = facts::ledgers_of(part);
  for (std::size_t i = 0; i < report.listeners.size(); ++i) {
    const diagnose::ListenerReport& judged = report.listeners[i];
    const auto named = names_.find(judged.key);
    if (named == names_.end()) continue;
    const diagnose::Refused& refused = judged.refused;
    // Socket drops count other packets too, and prove nothing.
    const bool is_counted = ledgers[i] == nullptr && refused.source == facts::Source::kCounters;
    const std::uint64_t packets = is_counted ? refused.total.value_or(0) : 0;
    Kept* kept = series_of(named->second.labels, packets > 0);
    if (kept == nullptr) {
      tally_.unexported_refused += packets;
      continue;
    }
    ListenerSeries& series = kept->series;
    series.refused[static_cast<std::size_t>(RefusedAs::kUnknown)] += packets;
    series.limit_set_by = judged.limit_set_by;
    constexpr double kMsPerSecond = 1000;
    if (judged.estimated_wait_ms) {
      series.estimated_wait_s =
          std::max(series.estimated_wait_s.value_or(0), *judged.estimated_wait_ms / kMsPerSecond);
    }
  }
  const std::int64_t now_ns = part.after.monotonic_ns;
  for (const diagnose::Finding& finding : report.findings) {
    if (!finding.cause || !finding.listener) continue;
    const auto named = names_.find(*finding.listener);
    if (named == names_.end()) continue;
    const auto kept = kept_.find(named->second.labels);
    if (kept == kept_.end()) continue;
    auto& causes = kept->second.series.causes;
    // What was concluded before has been said; of this look there may be several.
    if (std::exchange(kept->second.caused_ns, now_ns) != now_ns) causes.clear();
    double& share = causes[finding.cause->kind];
    share = std::max(share, finding.cause->share.value_or(1));
  }
}

Frame SeriesBook::frame() const {
  Frame frame;
  frame.listeners.reserve(kept_.size());
  for (const auto& [labels, kept] : kept_) frame.listeners.emplace_back(labels, kept.series);
  frame.namespaces.assign(namespaces_.begin(), namespaces_.end());
  frame.tally = tally_;
  return frame;
}

}  // namespace acceptq::agent
