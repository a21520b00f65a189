// Durations in logarithmic buckets: 32 per power of two, so any percentile is right to about 3 %
// from a microsecond to days, in a fixed 11 KiB whatever the number of samples.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace acceptq::lab::probe {

// Not thread-safe.
class LatencyHistogram {
 public:
  // Negative durations (none on a monotonic clock) count as 0; longer ones than the last bucket's
  // are kept in it.
  void record_us(std::int64_t microseconds);
  void merge(const LatencyHistogram& other);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  // Exact. Empty without samples.
  [[nodiscard]] std::optional<std::int64_t> min_us() const;
  [[nodiscard]] std::optional<std::int64_t> max_us() const;
  [[nodiscard]] std::optional<double> mean_us() const;
  // The smallest duration that at least `percent` (0…100) of the samples do not exceed: the upper
  // end of its bucket, never more than max_us(). Empty without samples.
  [[nodiscard]] std::optional<std::int64_t> percentile_us(double percent) const;

  // How many samples are below `microseconds`, to the precision of a bucket.
  [[nodiscard]] std::uint64_t count_below_us(std::int64_t microseconds) const;

 private:
  static constexpr std::size_t kSubBuckets = 32;
  static constexpr std::size_t kOctaves = 40;
  static constexpr std::size_t kBuckets = kSubBuckets * (kOctaves + 1);
  [[nodiscard]] static std::size_t bucket_of(std::uint64_t microseconds);
  [[nodiscard]] static std::uint64_t upper_end(std::size_t bucket);

  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_us_ = 0;
  std::uint64_t min_us_ = 0;
  std::uint64_t max_us_ = 0;
};

}  // namespace acceptq::lab::probe
