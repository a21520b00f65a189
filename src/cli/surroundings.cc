#include "cli/surroundings.h"

#include <algorithm>

namespace acceptq::cli {
namespace {

// Of a listener that was replaced or restarted it is its successor's.
std::optional<std::uint32_t> limit_in(const facts::Snapshot& snapshot,
                                      const facts::ExpectedLimit& place) {
  std::optional<std::uint32_t> least;
  for (const facts::Listener& listener : snapshot.listeners) {
    const bool is_it = listener.protocol == facts::Protocol::kTcp && !listener.closed &&
                       listener.netns == place.netns && listener.address == place.address &&
                       listener.port == place.port;
    if (!is_it || !listener.limit) continue;
    least = std::min(least.value_or(listener.limit->value()), listener.limit->value());
  }
  return least;
}

}  // namespace

apply::Surroundings surroundings_of(HostNow& host) {
  return {.entrance = [&host](NetnsId id) { return host.entrance(id); },
          .limit_now = [&host](const facts::ExpectedLimit& place) -> std::optional<std::uint32_t> {
            const Result<facts::Snapshot> now = host.scanner.scan(collect::ScanDepth::kComplete);
            return now ? limit_in(*now, place) : std::nullopt;
          }};
}

}  // namespace acceptq::cli
