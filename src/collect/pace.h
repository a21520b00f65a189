// How often something is done: at a period while it is cheap, and never for more than a share of
// one core's time.
#pragma once

#include <algorithm>
#include <cstdint>

namespace acceptq::collect {

class Pace {
 public:
  // At most 1 / rest_factor of one core.
  constexpr Pace(std::int64_t period_ns, std::int64_t rest_factor)
      : period_ns_(period_ns), rest_factor_(rest_factor) {}

  [[nodiscard]] bool is_due(std::int64_t now_ns) const { return now_ns >= next_ns_; }
  [[nodiscard]] std::int64_t next_ns() const { return next_ns_; }
  // At that time, unless it is due sooner.
  void due_by(std::int64_t at_ns) { next_ns_ = std::min(next_ns_, at_ns); }
  void done(std::int64_t begin_ns, std::int64_t end_ns) {
    next_ns_ = std::max(begin_ns + period_ns_, end_ns + rest_factor_ * (end_ns - begin_ns));
  }

 private:
  std::int64_t period_ns_;
  std::int64_t rest_factor_;
  std::int64_t next_ns_ = 0;
};

}  // namespace acceptq::collect
