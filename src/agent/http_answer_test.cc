#include "agent/http_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/http_pace.h"

namespace acceptq::agent {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kToken = "0123456789abcdef";

class HttpAnswerTest : public testing::Test {
 protected:
  HttpAnswer ask(const std::string& request) {
    EXPECT_EQ(request_length(request), request.size()) << request;
    return answerer_.answer(request, false);
  }
  int status(const std::string& target, const std::string& headers = "") {
    return ask("GET " + target + " HTTP/1.1\r\n" + headers + "\r\n").status;
  }

  int rendered_ = 0;
  int rate_ = 1000;
  HttpAnswerer answerer_{
      {{"/metrics",
        {.handler =
             [this] {
               ++rendered_;
               return HttpReply{.content_type = "text/plain; version=0.0.4",
                                .body = std::make_shared<const std::string>("up 1\n")};
             }}},
       {"/healthz", {.handler = [] { return HttpReply{}; }, .open = true}},
       {"/throws",
        {.handler = []() -> HttpReply { throw std::runtime_error("x"); }, .open = true}}},
      {.token_fits = [](std::string_view token) { return token == kToken; },
       .within_rate = [this] { return rate_-- > 0; }}};
  const std::string token_ = "Authorization: Bearer " + std::string(kToken) + "\r\n";
};

TEST_F(HttpAnswerTest, GivesHeadAndSharedBody) {
  const HttpAnswer answer = ask("GET /metrics HTTP/1.1\r\nHost: x\r\n" + token_ + "\r\n");
  EXPECT_EQ(answer.status, 200);
  EXPECT_FALSE(answer.close);
  EXPECT_EQ(*answer.body, "up 1\n");
  EXPECT_TRUE(answer.head.starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(answer.head.ends_with("\r\n\r\n"));
  for (const char* line : {"Content-Length: 5\r\n", "Content-Type: text/plain; version=0.0.4\r\n",
                           "Cache-Control: no-store\r\n", "X-Content-Type-Options: nosniff\r\n",
                           "Accept-Ranges: none\r\n"}) {
    EXPECT_THAT(answer.head, HasSubstr(line));
  }
}

TEST_F(HttpAnswerTest, HeadIsGetWithoutTheBody) {
  const HttpAnswer answer = ask("HEAD /metrics HTTP/1.1\r\n" + token_ + "\r\n");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, nullptr);
  EXPECT_THAT(answer.head, HasSubstr("Content-Length: 5\r\n"));
}

TEST_F(HttpAnswerTest, OtherMethodsAreRefusedUnreadAndClosed) {
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH"}) {
    const HttpAnswer answer = ask(
        std::string(method) + " /metrics HTTP/1.1\r\nContent-Length: 100\r\n" + token_ + "\r\n");
    EXPECT_EQ(answer.status, 405) << method;
    EXPECT_TRUE(answer.close);
    EXPECT_EQ(answer.body, nullptr);
    EXPECT_THAT(answer.head, HasSubstr("Allow: GET, HEAD\r\n"));
    EXPECT_THAT(answer.head, HasSubstr("Connection: close\r\n"));
  }
  EXPECT_EQ(rendered_, 0);
}

TEST_F(HttpAnswerTest, PathsAreExact) {
  EXPECT_EQ(status("/metrics?x=1&y=%00", token_), 200);
  for (const char* target :
       {"/", "//metrics", "/metrics/", "/Metrics", "/%6detrics", "/metrics%00", "/../metrics",
        "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "http://x/metrics", "*", "metrics",
        "/metrics;a", "\\metrics", "/healthz/../metrics"}) {
    const int answer = status(target, token_);
    EXPECT_TRUE(answer == 404 || answer == 400) << target << ": " << answer;
  }
  EXPECT_EQ(rendered_, 1);
}

TEST_F(HttpAnswerTest, TokenIsNeededButForOpenRoutes) {
  EXPECT_EQ(status("/healthz"), 200);
  EXPECT_EQ(status("/metrics", "Authorization: bearer  0123456789abcdef\r\n"), 200);
  for (const std::string& headers :
       {std::string(), std::string("Authorization: \r\n"), std::string("Authorization: Bearer\r\n"),
        std::string("Authorization: Bearer 0123456789abcdeg\r\n"),
        std::string("Authorization: Bearer 0123456789abcdef0\r\n"),
        std::string("Authorization: Basic 0123456789abcdef\r\n"), token_ + token_}) {
    const HttpAnswer answer = ask("GET /metrics HTTP/1.1\r\n" + headers + "\r\n");
    EXPECT_EQ(answer.status, 401) << headers;
    EXPECT_TRUE(answer.close);
    EXPECT_THAT(answer.head, HasSubstr("WWW-Authenticate: Bearer"));
  }
}

TEST_F(HttpAnswerTest, RateIsForWhatCosts) {
  rate_ = 1;
  EXPECT_EQ(status("/metrics"), 401);
  EXPECT_EQ(status("/metrics", token_), 200);
  const HttpAnswer answer = ask("GET /metrics HTTP/1.1\r\n" + token_ + "\r\n");
  EXPECT_EQ(answer.status, 429);
  EXPECT_THAT(answer.head, HasSubstr("Retry-After: 1\r\n"));
  EXPECT_EQ(status("/healthz"), 200);
  EXPECT_EQ(rendered_, 1);
}

// What would make much of little: the body a thousand times over, or compressed at its slowest.
TEST_F(HttpAnswerTest, RangesEncodingsAndExpectationsAreIgnored) {
  std::string ranges = "Range: bytes=0-";
  for (int i = 0; i < 1000; ++i) ranges += ",0-";
  for (const std::string& header :
       {ranges, std::string("rAnGe: bytes=x"), std::string("Accept-Encoding: br, gzip"),
        std::string("Expect: 100-continue")}) {
    const HttpAnswer answer = ask("GET /metrics HTTP/1.1\r\n" + header + "\r\n" + token_ + "\r\n");
    EXPECT_EQ(answer.status, 200) << header.substr(0, 40);
    EXPECT_TRUE(answer.head.starts_with("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer.head, HasSubstr("Content-Length: 5\r\n"));
    EXPECT_THAT(answer.head, Not(HasSubstr("Content-Encoding")));
    EXPECT_THAT(answer.head, Not(HasSubstr("Content-Range")));
  }
}

TEST_F(HttpAnswerTest, WhatCannotBeReadIsRefusedAndClosed) {
  for (const std::string& request :
       {std::string("\r\n\r\n"), std::string("x\n\r\n"), std::string("GET\r\n\r\n"),
        std::string("GET /metrics\r\n\r\n"), std::string("GET /metrics HTTP/2.0\r\n\r\n"),
        std::string("get /metrics HTTP/1.1\r\n\r\n"), std::string("\0\0\0\n\r\n", 6),
        std::string("\x16\x03\x01\n\r\n")}) {
    const HttpAnswer answer = answerer_.answer(request, false);
    EXPECT_TRUE(answer.status == 400 || answer.status == 405) << request << answer.status;
    EXPECT_TRUE(answer.close);
  }
}

TEST_F(HttpAnswerTest, ConnectionEndsWhereItMust) {
  EXPECT_FALSE(ask("GET /healthz HTTP/1.1\r\n\r\n").close);
  EXPECT_TRUE(ask("GET /healthz HTTP/1.0\r\n\r\n").close);
  EXPECT_TRUE(ask("GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n").close);
  EXPECT_TRUE(ask("GET /healthz HTTP/1.1\r\nContent-Length: 5\r\n\r\n").close);
  EXPECT_TRUE(ask("GET /healthz HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").close);
  EXPECT_TRUE(answerer_.answer("GET /healthz HTTP/1.1\r\n\r\n", true).close);
}

TEST_F(HttpAnswerTest, HandlerThatThrowsIsAnError) {
  const HttpAnswer answer = ask("GET /throws HTTP/1.1\r\n\r\n");
  EXPECT_EQ(answer.status, 500);
  EXPECT_TRUE(answer.close);
  EXPECT_EQ(status("/healthz"), 200);
}

TEST(RequestLength, IsUpToTheBlankLine) {
  EXPECT_EQ(request_length(""), 0U);
  EXPECT_EQ(request_length("GET / HTTP/1.1\r\n"), 0U);
  EXPECT_EQ(request_length("GET / HTTP/1.1\r\n\r\nGET"), 18U);
  EXPECT_EQ(request_length("a\n\nb\n\r\n"), 7U);
}

TEST(RateLimit, HoldsWhatComesInASecond) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  RateLimit rate(2);
  EXPECT_TRUE(rate.take(0));
  EXPECT_TRUE(rate.take(0));
  EXPECT_FALSE(rate.take(0));
  EXPECT_TRUE(rate.take(kSecond / 2));
  EXPECT_FALSE(rate.take(kSecond / 2));
  EXPECT_TRUE(rate.take(100 * kSecond));
  EXPECT_TRUE(rate.take(100 * kSecond));
  EXPECT_FALSE(rate.take(100 * kSecond));
}

TEST(WorkLimit, PausesAfterTwentyInTenMilliseconds) {
  WorkLimit work;
  EXPECT_EQ(work.pause_ns(1'000'000'000), 0);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(work.pause_ns(1'001'000'000), 0);
    work.did_one();
  }
  EXPECT_EQ(work.pause_ns(1'003'000'000), 7'000'000);
  EXPECT_EQ(work.pause_ns(1'010'000'000), 0);
}

// A page of another site whose name a resolver has turned to this host.
TEST(HttpAnswerWithoutToken, AnswersOnlyToTheHostsOwnNames) {
  HttpAnswerer answerer({{"/metrics", {.handler = [] { return HttpReply{}; }}},
                         {"/healthz", {.handler = [] { return HttpReply{}; }, .open = true}}},
                        {});
  const auto status = [&](const std::string& target, const std::string& host) {
    return answerer.answer("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n", false)
        .status;
  };
  for (const char* own :
       {"localhost", "LocalHost:9465", "127.0.0.1:9465", "127.0.0.9", "[::1]:80"}) {
    EXPECT_EQ(status("/metrics", own), 200) << own;
  }
  for (const char* other :
       {"evil.example", "10.0.0.5:9465", "localhost.evil.example", "[", "[::2]"}) {
    EXPECT_EQ(status("/metrics", other), 403) << other;
  }
  EXPECT_EQ(status("/healthz", "evil.example"), 200);
  EXPECT_EQ(answerer.answer("GET /metrics HTTP/1.0\r\n\r\n", false).status, 200);
}

}  // namespace
}  // namespace acceptq::agent
