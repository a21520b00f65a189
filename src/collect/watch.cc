#include "collect/watch.h"

#include <algorithm>
#include <utility>

#include "collect/observation_parts.h"

namespace acceptq::collect {

Watch::Watch(WatchSource& source, std::vector<Sampler*> samplers)
    : source_(source), samplers_(std::move(samplers)) {}

Status Watch::begin() {
  for (Sampler* sampler : samplers_) sampler->start();
  Result<facts::Snapshot> first = scan(next_, ScanDepth::kFirst, Ending::kGoesOn);
  if (!first) return fail(std::move(first.error()));
  if (first->scan_method == "iterator") {
    Result<facts::Snapshot> whole = source_.scan(ScanDepth::kComplete, {});
    if (!whole) return fail(std::move(whole.error()));
    complete(*first, std::move(*whole));
  }
  for (Sampler* sampler : samplers_) {
    if (const int fd = sampler->event_fd(); fd >= 0) events_.push_back(fd);
  }
  take_over(std::move(*first));
  marks_.emplace(next_++, latest_);
  return {};
}

void Watch::tend(std::int64_t until_ns) {
  std::int64_t next_ns = until_ns;
  for (Sampler* sampler : samplers_) {
    const std::int64_t now_ns = source_.now_ns();
    if (sampler->next_ns() <= now_ns) sampler->tend(now_ns);
    next_ns = std::min(next_ns, sampler->next_ns());
  }
  scan_where_wanted();
  if (next_ns <= source_.now_ns()) return;
  source_.rest_until(next_ns, events_);
  for (Sampler* sampler : samplers_) {
    if (sampler->event_fd() >= 0) sampler->tend(source_.now_ns());
  }
}

void Watch::scan_where_wanted() {
  const std::int64_t now_ns = source_.now_ns();
  if (!scans_.is_due(now_ns) || std::ranges::none_of(samplers_, &Sampler::wants_scan)) return;
  const std::int64_t before_ns = source_.cpu_ns();
  // What fails now may succeed the next time; the last scan says so where it does not.
  static_cast<void>(look());
  scans_.done(now_ns, now_ns + (source_.cpu_ns() - before_ns));
}

// Nothing ends at the first mark, and nothing begins at the last.
Result<facts::Snapshot> Watch::scan(Mark mark, ScanDepth depth, Ending ending) {
  const auto before = [&] {
    if (mark == kFirst) return;
    for (Sampler* each : samplers_) each->before_counters(mark);
  };
  const auto after = [&] {
    if (ending == Ending::kEnds) return;
    for (Sampler* each : samplers_) each->after_counters(mark);
  };
  return source_.scan(depth, {.before = before, .after = after});
}

void Watch::take_over(facts::Snapshot snapshot) {
  latest_ = std::make_shared<facts::Snapshot>(std::move(snapshot));
  for (Sampler* sampler : samplers_) sampler->see(*latest_);
}

Status Watch::look() {
  Result<facts::Snapshot> now = source_.scan(ScanDepth::kFast, {});
  if (!now) return fail(std::move(now.error()));
  take_over(std::move(*now));
  return {};
}

Result<Mark> Watch::mark(Ending ending) {
  const Mark mark = next_++;
  Result<facts::Snapshot> now = scan(mark, ScanDepth::kFast, ending);
  if (!now) return fail(std::move(now.error()));
  take_over(std::move(*now));
  marks_.emplace(mark, latest_);
  return mark;
}

void Watch::forget(Mark mark) {
  if (mark == kFirst) return;
  marks_.erase(mark);
  for (Sampler* sampler : samplers_) sampler->forget(mark);
}

void Watch::reduce_first() {
  auto carried = std::make_shared<facts::Snapshot>();
  const facts::Snapshot& first = *marks_.at(kFirst);
  carried->blind_spots = first.blind_spots;
  for (const facts::Namespace& ns : first.namespaces) {
    carried->namespaces.push_back({.id = ns.id, .sysctls = ns.sysctls});
  }
  marks_[kFirst] = std::move(carried);
  for (Sampler* sampler : samplers_) sampler->forget(kFirst);
}

Status Watch::renew_first() {
  Result<facts::Snapshot> now = source_.scan(ScanDepth::kComplete, {});
  if (!now) return fail(std::move(now.error()));
  marks_[kFirst] = std::make_shared<facts::Snapshot>(std::move(*now));
  reduce_first();
  return {};
}

facts::Observation Watch::between(Mark from, Mark to) {
  return put_together(from, Use::kAgain, to, Ending::kGoesOn);
}

facts::Observation Watch::leave(Mark from, Mark to) {
  facts::Observation observation = put_together(from, Use::kLast, to, Ending::kGoesOn);
  if (from == kFirst) {
    reduce_first();
  } else {
    forget(from);
  }
  return observation;
}

Result<facts::Observation> Watch::finish(Mark from) {
  const Result<Mark> last = mark(Ending::kEnds);
  if (!last) return fail(last.error());
  latest_.reset();
  return put_together(from, Use::kLast, *last, Ending::kEnds);
}

facts::Observation Watch::put_together(Mark from, Use use_of_from, Mark to, Ending ending) {
  facts::Observation observation;
  observation.after = ending == Ending::kEnds ? std::move(*marks_.at(to)) : *marks_.at(to);
  const facts::Snapshot& first = *marks_.at(kFirst);
  carry_over(first, observation.after);
  // What the first carries over to others is needed again, unless all ends.
  const bool is_moved = use_of_from == Use::kLast && (from != kFirst || ending == Ending::kEnds);
  observation.before = is_moved ? std::move(*marks_.at(from)) : *marks_.at(from);
  if (from != kFirst) carry_over(first, observation.before);
  for (Sampler* sampler : samplers_) sampler->put(from, to, observation);
  agree_on_cookies(observation);
  source_.describe_troubled(observation, ending == Ending::kEnds);
  measure(observation);
  return observation;
}

}  // namespace acceptq::collect
