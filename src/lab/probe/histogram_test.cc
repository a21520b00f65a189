#include "lab/probe/histogram.h"

#include <gtest/gtest.h>

namespace acceptq::lab::probe {
namespace {

TEST(LatencyHistogram, HasNoNumbersWithoutSamples) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_FALSE(histogram.min_us());
  EXPECT_FALSE(histogram.max_us());
  EXPECT_FALSE(histogram.mean_us());
  EXPECT_FALSE(histogram.percentile_us(50));
}

TEST(LatencyHistogram, SmallValuesAreExact) {
  LatencyHistogram histogram;
  for (int i = 0; i < 32; ++i) histogram.record_us(i);
  EXPECT_EQ(histogram.percentile_us(50), 15);
  EXPECT_EQ(histogram.percentile_us(100), 31);
  EXPECT_EQ(histogram.percentile_us(0), 0);
  EXPECT_EQ(histogram.count_below_us(10), 10U);
}

TEST(LatencyHistogram, PercentilesAreRightToThreePercent) {
  LatencyHistogram histogram;
  for (int i = 1; i <= 100'000; ++i) histogram.record_us(i);
  for (const double percent : {1.0, 10.0, 50.0, 90.0, 99.0, 99.9}) {
    const double wanted = percent * 1000;
    EXPECT_NEAR(static_cast<double>(*histogram.percentile_us(percent)), wanted, wanted * 0.035)
        << percent;
  }
  EXPECT_EQ(histogram.min_us(), 1);
  EXPECT_EQ(histogram.max_us(), 100'000);
  EXPECT_DOUBLE_EQ(*histogram.mean_us(), 50'000.5);
}

TEST(LatencyHistogram, ExtremesStayInRange) {
  LatencyHistogram histogram;
  histogram.record_us(-5);
  histogram.record_us(std::int64_t{1} << 60);
  EXPECT_EQ(histogram.min_us(), 0);
  EXPECT_EQ(histogram.max_us(), std::int64_t{1} << 60);
  EXPECT_EQ(histogram.percentile_us(1), 0);
  EXPECT_EQ(histogram.count_below_us(1), 1U);
}

TEST(LatencyHistogram, MergeEqualsRecordingAll) {
  LatencyHistogram first;
  LatencyHistogram second;
  LatencyHistogram all;
  for (std::int64_t i = 0; i < 1000; ++i) {
    (i % 2 == 0 ? first : second).record_us(i * 37);
    all.record_us(i * 37);
  }
  first.merge(second);
  first.merge(LatencyHistogram{});
  EXPECT_EQ(first.count(), all.count());
  EXPECT_EQ(first.percentile_us(75), all.percentile_us(75));
  EXPECT_EQ(first.min_us(), all.min_us());
  EXPECT_EQ(first.max_us(), all.max_us());
}

}  // namespace
}  // namespace acceptq::lab::probe
