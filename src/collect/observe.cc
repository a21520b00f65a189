#include "collect/observe.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "collect/handshake_sampler.h"
#include "collect/host_source.h"
#include "collect/host_threads.h"
#include "collect/local_clients.h"
#include "collect/packet_sampler.h"
#include "collect/queue_sampler.h"
#include "collect/thread_sampler.h"
#include "collect/traced_handshakes.h"
#include "collect/translations.h"
#include "collect/troubled_owners.h"
#include "collect/watch.h"

namespace acceptq::collect {

Result<facts::Observation> look(const ScanOptions& options,
                                const std::vector<std::uint16_t>& asked_ports) {
  Scanner scanner(options);
  Result<facts::Snapshot> snapshot = scanner.scan(ScanDepth::kComplete);
  if (!snapshot) return fail(std::move(snapshot.error()));
  facts::Observation observation;
  observation.after = std::move(*snapshot);
  describe_troubled_owners(options, observation);
  HostThreads threads(options.proc_root);
  look_at_threads(threads, observation);
  find_local_clients(scanner, observation);
  look_at_translations(scanner, asked_ports, observation.after);
  observation.before = observation.after;
  return observation;
}

Result<facts::Observation> observe(const ObserveOptions& options) {
  if (options.seconds == 0) return look(options.scan, options.asked_ports);
  constexpr double kNsPerSecond = 1e9;
  HostSource host(options.scan);
  TracedHandshakes traced(options.trace);
  QueueSampler queues(host, kDenseSampling);
  HostThreads host_threads(options.scan.proc_root);
  ThreadSampler threads(queues, host_threads);
  HandshakeSampler handshakes(host, traced);
  handshakes.follow_course();
  std::optional<PacketSampler> packets;
  std::vector<Sampler*> samplers{&queues, &threads, &handshakes};
  if (options.tapped) samplers.push_back(&packets.emplace(host.scanner(), options.tapped));

  Watch watch(host, std::move(samplers));
  if (const Status begun = watch.begin(); !begun) return fail(begun.error());
  const std::int64_t begin = watch.latest().monotonic_ns;
  const auto end = begin + static_cast<std::int64_t>(options.seconds * kNsPerSecond);
  // On a host that is short of processors looks at threads come late; that is when they matter.
  constexpr std::int64_t kMostMoreNs = 5'000'000'000;
  std::optional<std::int64_t> latest_end;
  while (true) {
    const std::int64_t now = host.now_ns();
    if (options.progress && !options.progress(static_cast<double>(now - begin) / kNsPerSecond)) {
      break;
    }
    if (now >= end) {
      if (!latest_end) latest_end = now + std::min(end - begin, kMostMoreNs);
      if (now >= *latest_end || !threads.wants_more()) break;
    }
    watch.tend(latest_end.value_or(end));
  }
  Result<facts::Observation> observation = watch.finish(watch.first());
  if (observation) look_at_translations(host.scanner(), options.asked_ports, observation->after);
  return observation;
}

}  // namespace acceptq::collect
