#include "collect/live_view.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "collect/observation_parts.h"
#include "collect/troubled_owners.h"

namespace acceptq::collect {

LiveView::LiveView(const ScanOptions& scan, const bpf::TraceOptions& trace)
    : options_(scan), scanner_(scan), handshakes_(trace) {}

Status LiveView::begin() {
  handshakes_.start();
  Result<facts::Snapshot> first =
      scanner_.scan(ScanDepth::kFirst, {.after = [this] { opening_ = handshakes_.books(); }});
  if (!first) return fail(std::move(first.error()));
  if (first->scan_method == "iterator") {
    Result<facts::Snapshot> whole = scanner_.scan(ScanDepth::kComplete);
    if (!whole) return fail(std::move(whole.error()));
    complete(*first, std::move(*whole));
  }
  first_ = *first;
  last_ = std::move(*first);
  return {};
}

void LiveView::tend() {
  handshakes_.tend();
  const std::int64_t begin = monotonic_ns();
  if (begin < next_sample_ns_) return;
  for (const facts::Listener& listener : scanner_.sample(watched_namespaces(last_))) {
    add_sample(listener, samples_);
  }
  constexpr std::int64_t kPeriodNs = 50'000'000;
  constexpr std::int64_t kRestFactor = 10;
  const std::int64_t end = monotonic_ns();
  next_sample_ns_ = end + std::max(kPeriodNs, kRestFactor * (end - begin));
}

Result<facts::Observation> LiveView::frame() {
  Books opening;
  Result<facts::Snapshot> now =
      scanner_.scan(ScanDepth::kFast, {.before = [this] { totals_ = handshakes_.books(); },
                                       .after = [&] { opening = handshakes_.books(); }});
  if (!now) return fail(std::move(now.error()));
  facts::Observation observation;
  observation.before = std::move(last_);
  observation.after = std::move(*now);
  carry_over(first_, observation.after);
  facts::normalize(observation.after);
  last_ = observation.after;
  observation.samples = std::exchange(samples_, {});
  handshakes_.finish(observation, observation.before, opening_, totals_, scanner_);
  opening_ = std::move(opening);
  describe_troubled_owners(options_, observation);
  measure(observation);
  return observation;
}

}  // namespace acceptq::collect
