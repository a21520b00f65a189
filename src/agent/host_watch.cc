#include "agent/host_watch.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "collect/trouble.h"
#include "diagnose/deltas.h"

namespace acceptq::agent {
namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;

// While all is well, scans take at most 1/300 of one core, and what looks at the queues' lengths in
// between 1/1000 each; while something is in trouble, 1/50 each.
constexpr std::int64_t kCalmShare = 300;
constexpr std::int64_t kLookShare = 1000;
constexpr std::int64_t kAlertShare = 50;
constexpr collect::Pace kCalmSampling{250 * kNsPerMs, kLookShare};
// By tracepoints, a look walks every open file of the host. A listener that begins is met without
// one (inet_sock_set_state), and each scan has its own: those between only make the times that
// connections wait more exact, which matters where they wait.
constexpr std::int64_t kCalmLookNs = 30 * kNsPerSecond;
constexpr collect::Pace kAlertSampling{50 * kNsPerMs, kAlertShare};
// As long as `check` watches: causes need some looks at threads.
constexpr std::int64_t kAlertIntervalNs = 2 * kNsPerSecond;
constexpr std::int64_t kLingerNs = 10 * kNsPerSecond;
// Namespaces and sockets that only a visit to each namespace shows.
constexpr std::int64_t kThoroughNs = 600 * kNsPerSecond;

bool has_refused(const facts::Observation& observation) {
  return std::ranges::any_of(observation.after.namespaces, [&](const facts::Namespace& ns) {
    const diagnose::NamespaceDelta delta = diagnose::namespace_delta(observation, ns.id);
    return delta.grew("TcpExtListenDrops") > 0;
  });
}

std::vector<collect::Sampler*> samplers(collect::QueueSampler& queues,
                                        collect::ThreadSampler& threads,
                                        collect::HandshakeSampler& handshakes,
                                        bool looks_for_causes) {
  if (!looks_for_causes) return {&queues, &handshakes};
  return {&queues, &threads, &handshakes};
}

}  // namespace

HostWatch::HostWatch(std::int64_t interval_ns, bool looks_for_causes, collect::WatchSource& source,
                     collect::Handshakes& handshakes, collect::ThreadLooks& threads)
    : interval_ns_(interval_ns),
      source_(source),
      queues_(source, kCalmSampling),
      threads_(queues_, threads),
      handshakes_(source, handshakes),
      watch_(source, samplers(queues_, threads_, handshakes_, looks_for_causes)),
      pace_(interval_ns, kCalmShare),
      thorough_(kThoroughNs, kCalmShare),
      meeting_(kNsPerSecond / 2, kAlertShare) {}

Result<facts::Observation> HostWatch::begin() {
  handshakes_.look_every(kCalmLookNs, kLookShare);
  handshakes_.leave_no_gap();
  handshakes_.on_refusal([this](const facts::Refusal& refusal) { take(refusal); });
  last_ = watch_.first();
  const std::int64_t begin = source_.now_ns();
  if (const Status begun = watch_.begin(); !begun) {
    return fail(begun.error());
  }
  pace_.done(begin, begin);
  thorough_.done(begin, begin);
  return watch_.between(last_, last_);
}

void HostWatch::take(const facts::Refusal& refusal) {
  const std::int64_t now_ns = source_.now_ns();
  set_alert(now_ns);
  if (facts::find_listener(watch_.latest(), refusal) != nullptr || !meeting_.is_due(now_ns)) return;
  // It may be gone with the next scan, and then nobody would know whose it was.
  pace_.due_by(now_ns);
  meeting_.done(now_ns, now_ns + scan_cpu_ns_);
}

void HostWatch::set_alert(std::int64_t now_ns) {
  const bool was_alert = is_alert();
  alert_until_ns_ = now_ns + kLingerNs;
  if (was_alert) return;
  pace_ = collect::Pace(std::min(kAlertIntervalNs, interval_ns_), kAlertShare);
  pace_.done(now_ns, now_ns);
  queues_.begin_anew(kAlertSampling);
  handshakes_.look_every(50 * kNsPerMs, kAlertShare);
}

void HostWatch::calm_down() {
  alert_until_ns_ = 0;
  pace_ = collect::Pace(interval_ns_, kCalmShare);
  queues_.begin_anew(kCalmSampling);
  handshakes_.look_every(kCalmLookNs, kLookShare);
}

void HostWatch::set_interval(std::int64_t interval_ns) {
  interval_ns_ = interval_ns;
  // As calm_down() makes it, at the latest.
  if (!is_alert()) pace_ = collect::Pace(interval_ns_, kCalmShare);
}

std::int64_t HostWatch::longest_pause_ns() const {
  return std::max(interval_ns_, kCalmShare * scan_cpu_ns_);
}

void HostWatch::hurry() { pace_.due_by(source_.now_ns() + kAlertIntervalNs); }

void HostWatch::tend(std::int64_t until_ns) {
  watch_.tend(std::min(until_ns, pace_.next_ns()));
  if (queues_.newest_ns() <= judged_ns_) return;
  judged_ns_ = queues_.newest_ns();
  if (std::ranges::any_of(queues_.newest(), collect::is_filling)) set_alert(judged_ns_);
}

std::optional<Result<facts::Observation>> HostWatch::next() {
  const std::int64_t begin = source_.now_ns();
  if (!pace_.is_due(begin)) return std::nullopt;
  const std::int64_t cpu_begin = source_.cpu_ns();
  const auto is_done = [&](collect::Pace& pace) {
    scan_cpu_ns_ = source_.cpu_ns() - cpu_begin;
    pace.done(begin, begin + scan_cpu_ns_);
  };
  const Result<collect::Mark> now = watch_.mark();
  if (!now) {
    is_done(pace_);
    return fail(now.error());
  }
  facts::Observation observation = watch_.leave(std::exchange(last_, *now), *now);
  const bool is_troubled = has_refused(observation) ||
                           std::ranges::any_of(observation.after.listeners, collect::is_filling);
  if (is_troubled) {
    set_alert(begin);
  } else if (is_alert() && begin >= alert_until_ns_) {
    calm_down();
  }
  is_done(pace_);
  if (thorough_.is_due(begin)) {
    // Where nothing can be scanned, the next observation says so.
    static_cast<void>(watch_.renew_first());
    is_done(thorough_);
  }
  return observation;
}

}  // namespace acceptq::agent
