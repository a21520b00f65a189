// Values below 32 have a bucket each. Above, a value's highest bit names its octave and the five
// bits below it the bucket in the octave, so that a bucket is 1/32 of its octave wide.
#include "lab/probe/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace acceptq::lab::probe {
namespace {
constexpr unsigned kSubBits = 5;
}

std::size_t LatencyHistogram::bucket_of(std::uint64_t microseconds) {
  if (microseconds < kSubBuckets) return static_cast<std::size_t>(microseconds);
  const unsigned octave = static_cast<unsigned>(std::bit_width(microseconds)) - 1 - kSubBits;
  if (octave >= kOctaves) return kBuckets - 1;
  const std::uint64_t sub = (microseconds >> octave) - kSubBuckets;
  return kSubBuckets * (octave + 1) + static_cast<std::size_t>(sub);
}

std::uint64_t LatencyHistogram::upper_end(std::size_t bucket) {
  if (bucket < kSubBuckets) return bucket;
  const std::size_t octave = bucket / kSubBuckets - 1;
  const std::uint64_t sub = bucket % kSubBuckets + kSubBuckets;
  return ((sub + 1) << octave) - 1;
}

void LatencyHistogram::record_us(std::int64_t microseconds) {
  const std::uint64_t value = microseconds < 0 ? 0 : static_cast<std::uint64_t>(microseconds);
  ++buckets_[bucket_of(value)];
  min_us_ = count_ == 0 ? value : std::min(min_us_, value);
  max_us_ = std::max(max_us_, value);
  sum_us_ += value;
  ++count_;
}

void LatencyHistogram::merge(const LatencyHistogram& other) {
  if (other.count_ == 0) return;
  for (std::size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  min_us_ = count_ == 0 ? other.min_us_ : std::min(min_us_, other.min_us_);
  max_us_ = std::max(max_us_, other.max_us_);
  sum_us_ += other.sum_us_;
  count_ += other.count_;
}

std::optional<std::int64_t> LatencyHistogram::min_us() const {
  if (count_ == 0) return std::nullopt;
  return static_cast<std::int64_t>(min_us_);
}

std::optional<std::int64_t> LatencyHistogram::max_us() const {
  if (count_ == 0) return std::nullopt;
  return static_cast<std::int64_t>(max_us_);
}

std::optional<double> LatencyHistogram::mean_us() const {
  if (count_ == 0) return std::nullopt;
  return static_cast<double>(sum_us_) / static_cast<double>(count_);
}

std::optional<std::int64_t> LatencyHistogram::percentile_us(double percent) const {
  if (count_ == 0) return std::nullopt;
  const double wanted = std::clamp(percent, 0.0, 100.0) / 100.0 * static_cast<double>(count_);
  const std::uint64_t rank =
      std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(wanted)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= rank) {
      return static_cast<std::int64_t>(std::clamp(upper_end(i), min_us_, max_us_));
    }
  }
  return max_us();
}

std::uint64_t LatencyHistogram::count_below_us(std::int64_t microseconds) const {
  if (microseconds <= 0) return 0;
  const std::size_t end = bucket_of(static_cast<std::uint64_t>(microseconds));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < end; ++i) seen += buckets_[i];
  return seen;
}

}  // namespace acceptq::lab::probe
