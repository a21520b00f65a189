#include "agent/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <thread>
#include <vector>

#include "agent/http_test_support.h"

namespace acceptq::agent {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

const std::string kAuthorization = "Authorization: Bearer 0123456789abcdef\r\n";

class HttpServerTest : public testing::Test {
 protected:
  void start(HttpOptions options) {
    options.listen = {.address = *facts::IpAddress::parse("127.0.0.1"), .port = 0};
    options.refused = [this](const HttpRefusal& refusal) {
      const std::lock_guard lock(mutex_);
      refusals_.push_back(refusal.reason);
    };
    HttpRoutes routes;
    routes["/healthz"] = {
        .handler = [] { return HttpReply{.body = std::make_shared<const std::string>("ok\n")}; },
        .open = true};
    routes["/metrics"] = {.handler = [this] { return HttpReply{.body = body_}; }};
    Result<std::unique_ptr<HttpServer>> server = HttpServer::start(options, std::move(routes));
    ASSERT_TRUE(server) << server.error().message();
    server_ = std::move(*server);
    port_ = server_->port();
  }
  [[nodiscard]] bool healthy() const {
    return http_get(port_, "/healthz").ends_with("\r\n\r\nok\n");
  }
  std::vector<std::string> refusals() {
    const std::lock_guard lock(mutex_);
    return refusals_;
  }
  // Counts come after what the client sees.
  template <typename Reached>
  bool counted(Reached reached) {
    for (int i = 0; i < 1000; ++i) {
      if (reached(server_->counts())) return true;
      std::this_thread::sleep_for(milliseconds(10));
    }
    return false;
  }

  std::shared_ptr<const std::string> body_ =
      std::make_shared<const std::string>(std::string(std::size_t{3} << 20, 'x') + "\n");
  TestSecrets secrets_;
  std::mutex mutex_;
  std::vector<std::string> refusals_;
  std::unique_ptr<HttpServer> server_;
  std::uint16_t port_ = 0;
};

TEST_F(HttpServerTest, ServesLargeBodies) {
  start({});
  const std::string answer = http_get(port_, "/metrics");
  EXPECT_EQ(status_of(answer), 200);
  EXPECT_TRUE(answer.ends_with("\r\n\r\n" + *body_));
  EXPECT_EQ(server_->counts().by_status.at(200), 1U);
}

TEST_F(HttpServerTest, KeepsConnectionsAndAnswersWhatCameTogether) {
  start({});
  TestClient client(port_);
  std::string requests;
  for (int i = 0; i < 50; ++i) requests += "GET /healthz HTTP/1.1\r\n\r\n";
  client.send(requests + "GET /nowhere HTTP/1.1\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n");
  const std::string answers = client.receive();
  EXPECT_THAT(answers, HasSubstr("\r\n\r\nok\nHTTP/1.1 404 Not Found\r\n"));
  EXPECT_TRUE(client.closed());
  const HttpCounts counts = server_->counts();
  EXPECT_EQ(counts.by_status.at(200), 50U);
  EXPECT_EQ(counts.by_status.at(404), 1U);  // after which nothing more is read
  EXPECT_EQ(counts.connections, 1U);
  EXPECT_TRUE(healthy());
}

TEST_F(HttpServerTest, TokenFromFileAndReadAgain) {
  start({.token_file = secrets_.token_path()});
  EXPECT_EQ(status_of(http_get(port_, "/metrics")), 401);
  EXPECT_EQ(status_of(http_get(port_, "/metrics", kAuthorization)), 200);
  EXPECT_TRUE(healthy());
  TestSecrets::write_private(secrets_.token_path(), "another token of 0 length\n");
  const Status blanks = server_->reload();
  ASSERT_FALSE(blanks);
  EXPECT_THAT(blanks.error().message(), HasSubstr("without blanks"));
  EXPECT_EQ(status_of(http_get(port_, "/metrics", kAuthorization)), 200);
  TestSecrets::write_private(secrets_.token_path(), "fedcba9876543210");
  EXPECT_TRUE(server_->reload());
  EXPECT_EQ(status_of(http_get(port_, "/metrics", kAuthorization)), 401);
  EXPECT_EQ(status_of(http_get(port_, "/metrics", "Authorization: Bearer fedcba9876543210\r\n")),
            200);
  EXPECT_THAT(refusals(), testing::Contains("401"));
}

TEST_F(HttpServerTest, TlsFromVersion12On) {
  start({.tls_certificate = secrets_.certificate_path(), .tls_key = secrets_.key_path()});
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const std::string answer = https_get(port_, "/metrics", version);
    EXPECT_EQ(status_of(answer), 200);
    EXPECT_TRUE(answer.ends_with(*body_));
  }
  EXPECT_EQ(https_get(port_, "/metrics", TLS1_VERSION), "");
  EXPECT_EQ(https_get(port_, "/metrics", TLS1_1_VERSION), "");
  EXPECT_EQ(status_of(http_get(port_, "/metrics")), 0);  // not TLS at all
  TestClient garbage(port_);
  garbage.send(std::string("\x16\x03\x01\x40\x00", 5) + std::string(0x4000, '\xff'));
  EXPECT_LT(garbage.receive().size(), 100U);
  EXPECT_TRUE(counted([](const HttpCounts& counts) { return counts.tls_failed == 4; }))
      << server_->counts().tls_failed;
  secrets_.renew();
  EXPECT_TRUE(server_->reload());
  EXPECT_EQ(status_of(https_get(port_, "/healthz", TLS1_3_VERSION)), 200);
  TestSecrets::write_private(secrets_.key_path(), "no key");
  EXPECT_FALSE(server_->reload());
  EXPECT_EQ(status_of(https_get(port_, "/healthz", TLS1_3_VERSION)), 200);
}

TEST_F(HttpServerTest, SlowClientsHoldNobodyUp) {
  start({.timeout = milliseconds(700)});
  std::vector<std::unique_ptr<TestClient>> slow;
  for (int i = 0; i < 50; ++i) {
    slow.push_back(std::make_unique<TestClient>(port_));
    slow.back()->send("GET /healthz HTTP/1.1\r\nX: ");
  }
  std::this_thread::sleep_for(milliseconds(150));
  for (int round = 0; round < 12; ++round) {
    for (const auto& client : slow) client->send("x");
    EXPECT_TRUE(healthy()) << round;
    std::this_thread::sleep_for(milliseconds(100));
  }
  for (const auto& client : slow) {
    client->receive(1000);
    EXPECT_TRUE(client->closed());
  }
  const HttpCounts counts = server_->counts();
  EXPECT_GT(counts.timed_out, 0U);
  EXPECT_GT(counts.replaced, 0U);
  // 12 of ours, and no slow one was ever answered.
  EXPECT_EQ(counts.by_status.at(200), 12U);
}

TEST_F(HttpServerTest, SlowReadersHoldNobodyUp) {
  // More than the sockets' buffers hold.
  body_ = std::make_shared<const std::string>(std::size_t{32} << 20, 'x');
  start({.timeout = milliseconds(700)});
  std::vector<std::unique_ptr<TestClient>> slow;
  for (int i = 0; i < 16; ++i) {
    slow.push_back(std::make_unique<TestClient>(port_));
    slow.back()->send("GET /metrics HTTP/1.1\r\n\r\n");
  }
  EXPECT_TRUE(counted([](const HttpCounts& counts) { return counts.timed_out == 16; }));
  EXPECT_TRUE(healthy());
}

TEST_F(HttpServerTest, HugeRequestsAreRefused) {
  start({});
  const std::pair<std::string, std::vector<int>> table[] = {
      {"GET /" + std::string(100'000, 'a') + " HTTP/1.1\r\n\r\n", {431}},
      {"GET /healthz HTTP/1.1\r\nX: " + std::string(100'000, 'a') + "\r\n\r\n", {431}},
      {std::string(100'000, 'a'), {431}},
      {std::string(100'000, '\n'), {431}},
      {"POST /metrics HTTP/1.1\r\nContent-Length: 10000000\r\n\r\n" + std::string(20'000, 'a'),
       {405}},
      {"GET /metrics HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", {200, 400}},
  };
  for (const auto& [request, statuses] : table) {
    TestClient client(port_);
    client.send(request);
    const std::string answer = client.receive();
    EXPECT_THAT(statuses, testing::Contains(status_of(answer))) << request.substr(0, 40);
    EXPECT_TRUE(client.closed());
  }
  EXPECT_TRUE(healthy());
}

TEST_F(HttpServerTest, ManyThatComeAndGo) {
  start({});
  for (int i = 0; i < 1000; ++i) {
    const TestClient client(port_);
    ASSERT_TRUE(client.connected()) << i;
    if (i % 3 == 0) client.send("GET /healthz HTTP/1.1\r\n\r\n");
    if (i % 3 == 1) client.send("GET /met");
  }
  EXPECT_TRUE(healthy());
  EXPECT_TRUE(counted([](const HttpCounts& counts) { return counts.connections == 1001; }));
}

TEST_F(HttpServerTest, RateHasABound) {
  body_ = std::make_shared<const std::string>("x\n");
  start({.requests_per_second = 5});
  const auto refused = [&] { return status_of(http_get(port_, "/metrics")) == 429; };
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(refused()) << i;
  // On a busy machine some seconds' worth goes by.
  bool any = false;
  for (int i = 0; i < 500 && !any; ++i) any = refused();
  EXPECT_TRUE(any);
  EXPECT_TRUE(healthy());
}

TEST_F(HttpServerTest, StopsWhileClientsWait) {
  start({});
  const TestClient idle(port_);
  const TestClient reader(port_);
  reader.send("GET /metrics HTTP/1.1\r\n\r\n");
  std::this_thread::sleep_for(milliseconds(50));
  const std::int64_t began = monotonic_ns();
  server_->stop();
  EXPECT_LT(monotonic_ns() - began, 4'000'000'000);  // less than any time-out
  EXPECT_FALSE(TestClient(port_).connected());
  server_->stop();
}

TEST_F(HttpServerTest, SaysWhyItCannotStart) {
  start({});
  const auto error = [](HttpOptions options) {
    const Result<std::unique_ptr<HttpServer>> server = HttpServer::start(std::move(options), {});
    return server ? std::string("started") : server.error().message();
  };
  const ListenOn loopback = {.address = *facts::IpAddress::parse("127.0.0.1"), .port = 0};
  EXPECT_THAT(error({.listen = {.address = loopback.address, .port = port_}}),
              HasSubstr("(is another agent running? else set \"listen\" to another port): Address "
                        "already in use"));
  EXPECT_THAT(error({.listen = {.address = *facts::IpAddress::parse("192.0.2.1"), .port = 1}}),
              HasSubstr("no interface of this host has that address"));
  const std::string certificate = secrets_.certificate_path();
  const std::string key = secrets_.key_path();
  EXPECT_THAT(error({.listen = loopback, .tls_certificate = "/nowhere", .tls_key = key}),
              HasSubstr("/nowhere: cannot be used as a certificate"));
  EXPECT_THAT(error({.listen = loopback, .tls_certificate = certificate, .tls_key = "/nowhere"}),
              HasSubstr("/nowhere: No such file"));
  EXPECT_THAT(error({.listen = loopback, .token_file = "/tmp"}), HasSubstr("/tmp: is no file"));
  TestSecrets::write_private(secrets_.token_path(), "short\n");
  EXPECT_THAT(error({.listen = loopback, .token_file = secrets_.token_path()}),
              HasSubstr("16 to 1024 printable"));
  ::chmod(secrets_.token_path().c_str(), 0644);
  EXPECT_THAT(error({.listen = loopback, .token_file = secrets_.token_path()}),
              HasSubstr("run: chmod o= " + secrets_.token_path()));
  const TestSecrets others;
  EXPECT_THAT(
      error({.listen = loopback, .tls_certificate = certificate, .tls_key = others.key_path()}),
      HasSubstr("cannot be used as the key"));
}

TEST_F(HttpServerTest, ListensOnIpv6) {
  HttpOptions options;
  options.listen = {.address = *facts::IpAddress::parse("::1"), .port = 0};
  const Result<std::unique_ptr<HttpServer>> server = HttpServer::start(options, {});
  if (!server && server.error().sys_errno == EADDRNOTAVAIL) GTEST_SKIP() << "no IPv6 here";
  ASSERT_TRUE(server) << server.error().message();
  EXPECT_GT((*server)->port(), 0);
}

}  // namespace
}  // namespace acceptq::agent
