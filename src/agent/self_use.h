// What this process itself takes, as it says of itself among its metrics.
#pragma once

#include <cstdint>

namespace acceptq::agent {

struct SelfUse {
  double cpu_s = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t open_fds = 0;
  double started_s = 0;  // since 1970

  friend bool operator==(const SelfUse&, const SelfUse&) = default;
};

// What cannot be read is 0. When it started is for the caller to fill in.
[[nodiscard]] SelfUse read_self_use();

}  // namespace acceptq::agent
