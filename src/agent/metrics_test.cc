#include "agent/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace acceptq::agent {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string text_of(const Frame& frame) {
  std::string text;
  write_metrics(frame, [&](const std::string& part) { text += part; });
  return text;
}

Frame frame_of(ListenerSeries series) {
  Frame frame;
  frame.agent.tracing = "functions";
  frame.listeners.emplace_back(
      Labels{.ns = "shop", .pod = "web-1", .address = "::", .port = "80", .process = "a\"b\\c\nd"},
      std::move(series));
  return frame;
}

constexpr const char* kLabels =
    R"({namespace="shop",pod="web-1",address="::",port="80",process="a\"b\\c\nd")";

TEST(MetricsTest, LengthAndLimitAreTwo) {
  const std::string text = text_of(
      frame_of({.seen = Seen{.sockets = 1, .length = QueueLength(129), .limit = QueueLimit(128)},
                .limit_set_by = diagnose::LimitSetBy::kSomaxconn}));
  const std::string labels = kLabels;
  EXPECT_THAT(text, HasSubstr("# TYPE acceptq_listener_accept_queue_length gauge\n"
                              "acceptq_listener_accept_queue_length" +
                              labels + "} 129\n"));
  EXPECT_THAT(text, HasSubstr("acceptq_listener_accept_queue_limit" + labels + "} 128\n"));
  EXPECT_THAT(text,
              HasSubstr("acceptq_listener_limit_info" + labels + ",set_by=\"somaxconn\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("acceptq_listener_observed" + labels + "} 1\n"));
  EXPECT_THAT(text, HasSubstr("acceptq_listener_refused_packets_total" + labels +
                              ",stage=\"syn\",reason=\"accept_queue_full\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("acceptq_listener_refused_packets_total" + labels +
                              ",stage=\"unknown\",reason=\"unknown\"} 0\n"))
      << "what begins at more than 0 has no increase";
  EXPECT_THAT(text, Not(HasSubstr("acceptq_listener_accepted_total")));
}

TEST(MetricsTest, WhatIsNotSeenHasNoGauges) {
  const std::string text = text_of(frame_of({}));
  EXPECT_THAT(text, HasSubstr(std::string("acceptq_listener_observed") + kLabels + "} 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("acceptq_listener_accept_queue")));
}

TEST(MetricsTest, BucketsAddUp) {
  Waits waits;
  waits.counts[5] = 3;
  waits.counts[kWaitBoundsNs.size()] = 1;
  waits.sum_s = 40;
  const std::string text = text_of(frame_of({.waits = waits}));
  const std::string name = std::string("acceptq_listener_wait_seconds_bucket") + kLabels;
  EXPECT_THAT(text, HasSubstr(name + ",le=\"1.048576\"} 3\n"));
  EXPECT_THAT(text, HasSubstr(name + ",le=\"0.262144\"} 0\n"));
  EXPECT_THAT(text, HasSubstr(name + ",le=\"+Inf\"} 4\n"));
  EXPECT_THAT(text,
              HasSubstr(std::string("acceptq_listener_wait_seconds_count") + kLabels + "} 4\n"));
}

TEST(MetricsTest, TellWhatItsOwnClientsDid) {
  std::string text;
  write_metrics(HttpCounts{.connections = 9, .by_status = {{401, 2}}, .timed_out = 3},
                [&](const std::string& part) { text += part; });
  EXPECT_THAT(text, HasSubstr("acceptq_http_requests_total{code=\"200\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("acceptq_http_requests_total{code=\"401\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("acceptq_http_connections_total 9\n"));
  EXPECT_THAT(text, HasSubstr("acceptq_http_connections_cut_total{reason=\"too_slow\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("acceptq_http_connections_cut_total{reason=\"no_room\"} 0\n"));
}

}  // namespace
}  // namespace acceptq::agent
