// nginx -T beside the queues of its listeners.
#include <fmt/format.h>

#include "import/import_test_support.h"

namespace acceptq::imports {
namespace {

std::string dump(std::string_view listen) {
  return fmt::format(
      "nginx: the configuration file /etc/nginx/nginx.conf syntax is ok\n"
      "nginx: configuration file /etc/nginx/nginx.conf test is successful\n"
      "# configuration file /etc/nginx/nginx.conf:\n"
      "user  nginx;\n"
      "events {{\n    worker_connections  1024;\n}}\n\n"
      "http {{\n"
      "    log_format  main  '$remote_addr - $remote_user [$time_local] \"$request\" '\n"
      "                      '$status';\n"
      "    include /etc/nginx/conf.d/*.conf;\n"
      "}}\n\n"
      "# configuration file /etc/nginx/conf.d/default.conf:\n"
      "server {{\n"
      "    {}\n"
      "    location / {{ root /data; }}\n"
      "}}\n\n",
      listen);
}

std::string queue(int length, int limit, std::string_view users = "") {
  return fmt::format(
      "State Recv-Q Send-Q Local Address:Port Peer Address:Port\n"
      "LISTEN {} {} 0.0.0.0:80 0.0.0.0:* {}\n",
      length, limit, users);
}

std::optional<std::uint32_t> requested(const std::string& text) {
  const Observation observation = import_one(text);
  EXPECT_TRUE(reasons(observation, "AQ621").empty()) << text;
  const Listener* listener = at(observation, "0.0.0.0:80");
  EXPECT_NE(listener, nullptr) << text;
  return listener != nullptr ? listener->backlog_requested : std::nullopt;
}

TEST(Backlogs, AreWhatTheConfigurationAsksFor) {
  EXPECT_EQ(requested(dump("listen 80;") + queue(512, 511)), 511U);
  EXPECT_EQ(requested(queue(512, 511) + "\n" + dump("listen 80;")), 511U);
  EXPECT_EQ(requested(dump("listen 80 backlog=4096;") + queue(0, 4096)), 4096U);
  // What somaxconn left of it.
  EXPECT_EQ(requested(dump("listen 80;") + queue(129, 128)), 511U);
  EXPECT_EQ(requested(dump("listen 80;") + queue(129, 128) + "\nnet.core.somaxconn = 128\n"), 511U);
}

TEST(Backlogs, AreNotThatWhereTheQueueSaysOtherwise) {
  EXPECT_EQ(requested(dump("listen 80;") + queue(0, 4096)), std::nullopt);
  EXPECT_EQ(requested(dump("listen 80;") + queue(129, 128) + "\nnet.core.somaxconn = 4096\n"),
            std::nullopt);
  EXPECT_EQ(requested(dump("listen 8080;") + queue(129, 128)), std::nullopt);
  EXPECT_EQ(requested(dump("listen 80;") + queue(129, 128, "users:((\"haproxy\",pid=7,fd=5))")),
            std::nullopt);
}

TEST(Backlogs, SayWhereTheyAreWritten) {
  const Observation observation = import_one(dump("listen 80 default_server;") +
                                             queue(512, 511, "users:((\"nginx\",pid=7,fd=5))"));
  ASSERT_EQ(reasons(observation, "AQ622").size(), 1U);
  const auto& spots = observation.after.blind_spots;
  EXPECT_TRUE(std::ranges::any_of(spots, [](const facts::BlindSpot& spot) {
    return spot.cost.find("/etc/nginx/conf.d/default.conf:2") != std::string::npos;
  }));
}

TEST(Backlogs, OfAnotherPlaceAreNotTheListenersOwn) {
  EXPECT_EQ(requested("$ kubectl exec other -- nginx -T\n" + dump("listen 80;") +
                      "$ kubectl exec web -- ss -lnt\n" + queue(129, 128)),
            std::nullopt);
}

TEST(Backlogs, AFileThatIsMissingIsSaid) {
  const Observation observation = import_one(
      "# configuration file /etc/nginx/nginx.conf:\nhttp {\n include "
      "/etc/nginx/servers.conf;\n}\n\n" +
      queue(129, 128));
  ASSERT_EQ(reasons(observation, "AQ621").size(), 1U);
  EXPECT_NE(reasons(observation, "AQ621")[0].find("/etc/nginx/servers.conf"), std::string::npos)
      << reasons(observation, "AQ621")[0];
}

}  // namespace
}  // namespace acceptq::imports
