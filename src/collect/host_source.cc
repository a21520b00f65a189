#include "collect/host_source.h"

#include <poll.h>

#include <algorithm>
#include <ctime>

#include "base/clock.h"
#include "collect/conntrack.h"
#include "collect/local_addresses.h"
#include "collect/local_clients.h"
#include "collect/routes_back.h"
#include "collect/troubled_owners.h"

namespace acceptq::collect {

std::int64_t HostSource::now_ns() const { return monotonic_ns(); }

std::int64_t HostSource::cpu_ns() const { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }

void HostSource::rest_until(std::int64_t end_ns, std::span<const int> events) {
  constexpr std::int64_t kNsPerSecond = 1'000'000'000;
  const std::int64_t left = std::max<std::int64_t>(end_ns - monotonic_ns(), 0);
  std::vector<pollfd> waited;
  for (const int fd : events) waited.push_back({.fd = fd, .events = POLLIN, .revents = 0});
  const timespec patience{.tv_sec = left / kNsPerSecond, .tv_nsec = left % kNsPerSecond};
  // EINTR: whoever asked to be interrupted will see.
  static_cast<void>(::ppoll(waited.data(), waited.size(), &patience, nullptr));
}

Result<facts::Snapshot> HostSource::scan(ScanDepth depth, const BesideCounters& beside) {
  return scanner_.scan(depth, beside);
}

std::vector<facts::Listener> HostSource::sample(std::span<const NetnsId> watched) {
  return scanner_.sample(watched);
}

std::map<NetnsId, std::set<facts::IpAddress>> HostSource::local_addresses(
    const std::set<NetnsId>& namespaces) {
  return collect::local_addresses(scanner_, namespaces);
}

void HostSource::describe_troubled(facts::Observation& observation, bool is_last) {
  if (is_last) {
    look_up_routes_back(scanner_, observation);
    look_at_conntrack(scanner_, observation);
    find_local_clients(scanner_, observation);
  }
  describe_troubled_owners(options_, observation);
}

}  // namespace acceptq::collect
