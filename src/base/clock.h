// The two clocks that acceptq reads. Functions that need the time take it as an argument; only the
// edges call these.
#pragma once

#include <ctime>

#include <cstdint>

namespace acceptq {

[[nodiscard]] inline std::int64_t clock_ns(clockid_t id) {
  timespec now{};
  ::clock_gettime(id, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// Nanoseconds since an arbitrary point; never goes back.
[[nodiscard]] inline std::int64_t monotonic_ns() { return clock_ns(CLOCK_MONOTONIC); }
// Nanoseconds since 1970-01-01T00:00:00Z.
[[nodiscard]] inline std::int64_t realtime_ns() { return clock_ns(CLOCK_REALTIME); }

}  // namespace acceptq
