#include "apply/somaxconn.h"

#include <gtest/gtest.h>

namespace acceptq::apply {
namespace {

TEST(Somaxconn, WhatSomebodyElseGaveItStays) {
  EXPECT_EQ(end_of_raised(8096, 8096, false), SomaxconnEnd::kPutBack);
  EXPECT_EQ(end_of_raised(8096, 8096, true), SomaxconnEnd::kKept);
  EXPECT_EQ(end_of_raised(8096, 128, false), SomaxconnEnd::kChangedByOther);
  EXPECT_EQ(end_of_raised(8096, 16384, true), SomaxconnEnd::kChangedByOther);
}

TEST(Somaxconn, IsNotTouchedWhereItIsLargeEnough) {
  Result<RaisedSomaxconn> raised = RaisedSomaxconn::Raise(1);
  ASSERT_TRUE(raised) << raised.error().message();
  EXPECT_FALSE(raised->outcome().raised_to);
  const SomaxconnOutcome outcome = raised->end(RaisedSomaxconn::Afterwards::kPutBack);
  EXPECT_EQ(outcome.end, SomaxconnEnd::kNotNeeded);
  EXPECT_EQ(outcome.before, outcome.after);
}

}  // namespace
}  // namespace acceptq::apply
