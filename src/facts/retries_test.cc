#include "facts/retries.h"

#include <gtest/gtest.h>

namespace acceptq::facts {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

TEST(HasGivenUp, WaitsTwiceAsLongAsClientsDo) {
  // After 0, 1, 3 and 7 s, the next one comes after 15 s at the latest.
  EXPECT_FALSE(has_given_up(0, 7 * kSecond, 35 * kSecond));
  EXPECT_TRUE(has_given_up(0, 7 * kSecond, 35 * kSecond + 1));
  EXPECT_FALSE(has_given_up(0, 200 * kSecond, 328 * kSecond));
  EXPECT_TRUE(has_given_up(0, 200 * kSecond, 328 * kSecond + 1));
}

// A client that was met in its pause of 32 s looks like one that has just begun.
TEST(HasGivenUp, OfOnePacketNothingTellsThePause) {
  EXPECT_FALSE(has_given_up(0, 0, 60 * kSecond));
  EXPECT_TRUE(has_given_up(0, 0, 129 * kSecond));
  // The final ACK and the data behind it.
  EXPECT_FALSE(has_given_up(0, kSecond / 100, 60 * kSecond));
}

}  // namespace
}  // namespace acceptq::facts
