#include "agent/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"

namespace acceptq::agent {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::StartsWith;

Settings parsed(std::string_view yaml) {
  const Result<Settings> settings = parse_settings(yaml, "a.yaml");
  EXPECT_TRUE(settings) << settings.error().message();
  return settings.value_or(Settings{});
}

TEST(ParseSettings, NothingIsTheDefaults) {
  for (const char* yaml : {"", "\n", "# nothing\n", "---\n", "{}\n"}) {
    EXPECT_EQ(parsed(yaml), Settings{}) << yaml;
  }
}

TEST(ParseSettings, TheExampleShowsTheDefaults) {
  const Result<std::string> example =
      read_file(std::string(ACCEPTQ_SOURCE_DIR) + "/deploy/acceptq-agent.yaml");
  ASSERT_TRUE(example) << example.error().message();
  EXPECT_EQ(parsed(*example), Settings{});
}

TEST(ParseSettings, ReadsEveryKey) {
  const Settings settings = parsed(R"(
listen: "[2001:db8::1]:443"
tls: {certificate: /etc/acceptq/tls.crt, key: /etc/acceptq/tls.key}
token_file: /etc/acceptq/token
socket: ""
interval: 1.5s
max_listeners: 20000
tracing: tracepoints
causes: false
forget_after: 1h
http:
  max_connections: 4
  requests_per_second: 2
  timeout: 500ms
)");
  EXPECT_EQ(settings.listen, parse_listen_on("[2001:db8::1]:443"));
  EXPECT_EQ(settings.tls_certificate, "/etc/acceptq/tls.crt");
  EXPECT_EQ(settings.tls_key, "/etc/acceptq/tls.key");
  EXPECT_EQ(settings.token_file, "/etc/acceptq/token");
  EXPECT_EQ(settings.socket, "");
  EXPECT_EQ(settings.interval, milliseconds(1500));
  EXPECT_EQ(settings.max_listeners, 20'000U);
  EXPECT_EQ(settings.tracing, collect::bpf::TraceLevel::kTracepoints);
  EXPECT_FALSE(settings.causes);
  EXPECT_EQ(settings.forget_after, milliseconds(3'600'000));
  EXPECT_EQ(settings.http_max_connections, 4U);
  EXPECT_EQ(settings.http_requests_per_second, 2U);
  EXPECT_EQ(settings.http_timeout, milliseconds(500));
}

struct Refused {
  std::string yaml;
  std::string place;
  std::string reason;
};

TEST(ParseSettings, RefusesWithPlaceAndReason) {
  const std::string both = "token_file: /t\ntls: {certificate: /c, key: /k}\n";
  const Refused table[] = {
      {"causes: true\nintervall: 5s\n",
       "a.yaml:2:1: ", "unknown key \"intervall\"; did you mean \"interval\"?"},
      {"http:\n  timout: 5s\n", "a.yaml:2:3: ", "did you mean \"timeout\"?"},
      {"http: {interval: 5s}\n", "a.yaml:1:8: ", "http: unknown key \"interval\" (known: max_"},
      {"zzzzzzzzzz: 1\n", "a.yaml:1:1: ", "unknown key \"zzzzzzzzzz\" (known: causes, "},
      {"<<: {listen: 127.0.0.1:1}\n", "a.yaml:1:1: ", "unknown key \"<<\""},
      {"interval: 5s\ninterval: 6s\n", "a.yaml:2:1: ", "key \"interval\" is there twice"},
      {"tls: {key: /a, key: /b}\n", "a.yaml:1:16: ", "is there twice"},
      {"interval: 5\n", "a.yaml:1:11: ", "must be a duration from 1s to 5m"},
      {"interval: 999ms\n", "a.yaml:1:11: ", "not \"999ms\""},
      {"interval: 301s\n", "a.yaml:1:11: ", "from 1s to 5m"},
      {"interval: [5s]\n", "a.yaml:1:11: ", "must be text"},
      {"interval:\ncauses: true\n", "a.yaml:1:1: ", "must be text"},
      {"max_listeners: 0\n", "a.yaml:1:16: ", "must be a whole number from 1 to 20000, not \"0\""},
      {"max_listeners: 20001\n", "a.yaml:1:16: ", "from 1 to 20000"},
      {"max_listeners: -1\n", "a.yaml:1:16: ", "from 1 to 20000"},
      {"max_listeners: 1e3\n", "a.yaml:1:16: ", "from 1 to 20000"},
      {"max_listeners: 99999999999999999999\n", "a.yaml:1:16: ", "from 1 to 20000"},
      {"causes: yes\n", "a.yaml:1:9: ", "must be true or false"},
      {"tracing: fentry\n",
       "a.yaml:1:10: ", "one of auto, functions, kprobes, tracepoints, none, not \"fentry\""},
      {"forget_after: 59s\n", "a.yaml:1:15: ", "from 1m to 24h"},
      {"http: {max_connections: 0}\n", "a.yaml:1:25: ", "from 1 to 1000"},
      {"http: {requests_per_second: 0}\n", "a.yaml:1:29: ", "from 1 to 1000"},
      {"http: {timeout: 2m}\n", "a.yaml:1:17: ", "from 100ms to 1m"},
      {"http: 5\n", "a.yaml:1:7: ", "http must be a map"},
      {"listen: localhost:9927\n", "a.yaml:1:9: ", "an IP address and a port"},
      {"listen: 127.0.0.1\n", "a.yaml:1:9: ", "an IP address and a port"},
      {"listen: 127.0.0.1:0\n", "a.yaml:1:9: ", "an IP address and a port"},
      {"listen: 127.0.0.1:65536\n", "a.yaml:1:9: ", "an IP address and a port"},
      {"listen: ::1:9927\n", "a.yaml:1:9: ", "an IP address and a port"},
      {"listen: \":9927\"\n", "a.yaml:1:9: ", "an IP address and a port"},
      {"token_file: token\n", "a.yaml:1:13: ", "must be an absolute path"},
      {"socket: \"/a\\0b\"\n", "a.yaml:1:9: ", "must be an absolute path"},
      {"socket: /" + std::string(107, 'x') + "\n", "a.yaml:1:9: ", "shorter than 108 bytes"},
      {"tls: {certificate: /c}\n", "a.yaml:1:1: ", "\"key\" is missing"},
      {"tls: {key: /k}\n", "a.yaml:1:1: ", "\"certificate\" is missing"},
      {"listen: 0.0.0.0:9927\n", "a.yaml:1:9: ", "needs \"tls\" and \"token_file\" too"},
      {"token_file: /t\nlisten: 10.0.0.5:9927\n", "a.yaml:2:9: ", "needs \"tls\" too"},
      {"tls: {certificate: /c, key: /k}\nlisten: \"[::]:9927\"\n",
       "a.yaml:2:9: ", "needs \"token_file\" too"},
      {"- listen\n", "a.yaml:1:1: ", "configuration must be a map"},
      {"listen\n", "a.yaml:1:1: ", "configuration must be a map"},
      {"? [a]\n: b\n", "a.yaml:1:3: ", "a key must be plain text"},
      {"causes: true\n---\ncauses: true\n", "a.yaml:2:1: ", "a second document"},
      {"!causes, true\n", "a.yaml:1:", "a second document"},
      {"listen: \"127.0.0.1:1\n", "a.yaml:", ""},
      {"a: *b\n", "a.yaml:1:", ""},
      {std::string(std::size_t{1} << 21, '#'), "a.yaml: ", "larger than"},
      {std::string(100'000, '['), "a.yaml", ""},
  };
  for (const auto& [yaml, place, reason] : table) {
    const Result<Settings> settings = parse_settings(yaml, "a.yaml");
    ASSERT_FALSE(settings) << yaml;
    EXPECT_EQ(settings.error().code, ErrorCode::kMalformed);
    EXPECT_THAT(settings.error().context, StartsWith(place)) << yaml;
    EXPECT_THAT(settings.error().context, HasSubstr(reason)) << yaml;
  }
  EXPECT_EQ(parsed(both + "listen: 0.0.0.0:9927\n").listen.port, 9927);
}

TEST(ParseSettings, LoopbackNeedsNeitherTlsNorToken) {
  for (const char* listen :
       {"127.0.0.1:9927", "127.1.2.3:1", "[::1]:9927", "[::ffff:127.0.0.1]:9927"}) {
    EXPECT_TRUE(parse_settings("listen: \"" + std::string(listen) + "\"\n", "a.yaml")) << listen;
  }
}

// Ten to the twentieth leaves, if anybody copied them.
TEST(ParseSettings, NestedAliasesCostWhatTheirTextDoes) {
  std::string yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int level = 1; level < 20; ++level) {
    const std::string before = "*a" + std::to_string(level - 1);
    yaml += "a" + std::to_string(level) + ": &a" + std::to_string(level) + " [" + before;
    for (int copy = 1; copy < 10; ++copy) yaml += ", " + before;
    yaml += "]\n";
  }
  const Result<Settings> settings = parse_settings(yaml, "a.yaml");
  ASSERT_FALSE(settings);
  EXPECT_THAT(settings.error().context, HasSubstr("unknown key \"a0\""));
}

}  // namespace
}  // namespace acceptq::agent
