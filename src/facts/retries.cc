#include "facts/retries.h"

#include <algorithm>

namespace acceptq::facts {

bool has_given_up(std::int64_t first_ns, std::int64_t last_ns, std::int64_t now_ns) {
  constexpr std::int64_t kNsPerSecond = 1'000'000'000;
  constexpr std::int64_t kLongestNs = 64 * kNsPerSecond;
  // Sooner than after this, they were sent together.
  constexpr std::int64_t kShortestNs = kNsPerSecond / 2;
  const std::int64_t seen_ns = last_ns - first_ns;
  // The next pause is at most twice all of those before.
  const std::int64_t next_ns =
      seen_ns < kShortestNs ? kLongestNs : std::min(2 * seen_ns, kLongestNs);
  return now_ns - last_ns > 2 * next_ns;
}

}  // namespace acceptq::facts
