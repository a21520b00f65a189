// How much a server does in a second, whatever its clients do. Pure: the time is an argument.
#pragma once

#include <algorithm>
#include <cstdint>

namespace acceptq::agent {

// A bucket that fills at a rate and holds what comes in a second.
class RateLimit {
 public:
  explicit RateLimit(std::uint32_t per_second) : cost_ns_(kSecond / std::max(per_second, 1U)) {}

  [[nodiscard]] bool take(std::int64_t now_ns) {
    if (!started_) saved_ns_ = kSecond;
    if (started_) saved_ns_ = std::min(kSecond, saved_ns_ + (now_ns - last_ns_));
    started_ = true;
    last_ns_ = now_ns;
    if (saved_ns_ < cost_ns_) return false;
    saved_ns_ -= cost_ns_;
    return true;
  }

 private:
  static constexpr std::int64_t kSecond = 1'000'000'000;
  std::int64_t cost_ns_;
  bool started_ = false;
  std::int64_t last_ns_ = 0;
  std::int64_t saved_ns_ = 0;
};

// At most twenty pieces of work in ten milliseconds, but for those of one turn.
class WorkLimit {
 public:
  void did_one() { ++done_; }
  // How long to pause before the turn that begins now, 0 mostly.
  [[nodiscard]] std::int64_t pause_ns(std::int64_t now_ns) {
    if (now_ns >= slice_ends_ns_) {
      slice_ends_ns_ = now_ns + kSlice;
      done_ = 0;
    }
    return done_ < kMost ? 0 : slice_ends_ns_ - now_ns;
  }

 private:
  static constexpr std::int64_t kSlice = 10'000'000;
  static constexpr int kMost = 20;
  std::int64_t slice_ends_ns_ = 0;
  int done_ = 0;
};

}  // namespace acceptq::agent
