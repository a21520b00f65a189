#include "collect/live_view.h"

#include <utility>

namespace acceptq::collect {

LiveView::LiveView(const ScanOptions& scan, const bpf::TraceOptions& trace)
    : host_(scan),
      traced_(trace),
      queues_(host_, kDenseSampling),
      host_threads_(scan.proc_root),
      threads_(queues_, host_threads_),
      handshakes_(host_, traced_),
      watch_(host_, {&queues_, &threads_, &handshakes_}) {}

Status LiveView::begin() {
  last_ = watch_.first();
  return watch_.begin();
}

void LiveView::tend() { watch_.tend(host_.now_ns()); }

Result<facts::Observation> LiveView::frame() {
  const Result<Mark> now = watch_.mark();
  if (!now) return fail(now.error());
  return watch_.leave(std::exchange(last_, *now), *now);
}

}  // namespace acceptq::collect
