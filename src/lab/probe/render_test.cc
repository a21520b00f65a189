#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "lab/probe/probe.h"

namespace acceptq::lab::probe {
namespace {

using testing::HasSubstr;
using testing::Not;

ProbeResult sample() {
  ProbeResult result;
  result.target = "10.77.0.2:80";
  result.asked_rate_per_s = 60;
  result.arrivals_s = 4;
  result.elapsed_s = 9;
  result.started = 240;
  result.outcomes[static_cast<std::size_t>(Outcome::kConnectedAtOnce)] = 180;
  result.outcomes[static_cast<std::size_t>(Outcome::kConnectedAfterRetries)] = 20;
  result.outcomes[static_cast<std::size_t>(Outcome::kTimedOut)] = 38;
  result.outcomes[static_cast<std::size_t>(Outcome::kLocalFailure)] = 2;
  result.local_errors[EMFILE] = 2;
  result.syn_retries = {{0, 180}, {1, 20}};
  for (int i = 0; i < 180; ++i) result.connect_time.record_us(300);
  for (int i = 0; i < 20; ++i) result.connect_time.record_us(1'020'000);
  return result;
}

TEST(ProbeLine, CountsWhatHappened) {
  EXPECT_EQ(to_line(sample()),
            "240 connections: 180 connected at once; 20 connected after SYN retries; "
            "38 timed out while connecting; 2 not sent: this host ran short");
  EXPECT_EQ(to_line(ProbeResult{}), "0 connections");
}

TEST(ProbeText, SaysWhatClientsLivedThrough) {
  const std::string text = to_text(sample());
  EXPECT_THAT(text, HasSubstr("probe of 10.77.0.2:80: 240 connections"));
  EXPECT_THAT(text, HasSubstr("connected at SYN retry 1: 20"));
  EXPECT_THAT(text, HasSubstr("EMFILE"));
  EXPECT_THAT(text, HasSubstr("below 2.00 s"));
  EXPECT_THAT(text, Not(HasSubstr("refused")));
  EXPECT_THAT(text, Not(HasSubstr("not made")));
}

TEST(ProbeJson, HoldsEveryNumber) {
  const nlohmann::json json = nlohmann::json::parse(to_json(sample()));
  EXPECT_EQ(json["schema"], "acceptq.probe/1");
  EXPECT_EQ(json["outcomes"]["connected_at_once"], 180);
  EXPECT_EQ(json["outcomes"]["refused"], 0);
  EXPECT_EQ(json["outcomes"].size(), kOutcomes);
  EXPECT_EQ(json["syn_retries"]["1"], 20);
  EXPECT_EQ(json["local_errors"]["EMFILE"], 2);
  EXPECT_TRUE(json["first_byte_time"].is_null());
  EXPECT_EQ(json["connect_time"]["max_us"], 1'020'000);
}

}  // namespace
}  // namespace acceptq::lab::probe
