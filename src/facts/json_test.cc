#include "facts/json.h"

#include <gtest/gtest.h>

#include "facts/json_tree.h"

namespace acceptq::facts {
namespace {

Observation sample() {
  Observation observation;
  observation.seconds = 2.5;
  observation.tracing = Source::kCounters;
  Snapshot& after = observation.after;
  after.host = {.name = "node-1", .kernel = "6.1.0-56-amd64", .boot_id = "b"};
  after.realtime_ns = 1'795'000'000'000'000'000;
  after.scan_method = "iterator";
  Namespace ns;
  ns.id = NetnsId(4026532567);
  ns.own_container = true;
  ns.held_by = HeldBy::kMount;
  ns.mount_path = "/run/netns/a b";
  ns.pids = {Pid(3985)};
  ns.cookie = 0xfedcba9876543210U;
  ns.sysctls[kSomaxconn] = {.state = SysctlState::kValue, .value = 128};
  ns.sysctls[kFastopen] = {.reason = "denied"};
  ns.counters["TcpExtListenDrops"] = 18446744073709551615U;
  Namespace pasted;
  pasted.id = NetnsId(1);
  pasted.pasted = Pasted{.label = "pod shop/web",
                         .all_listeners = true,
                         .compared = true,
                         .seconds = 10,
                         .superseded = true,
                         .addresses = {"172.26.0.8"},
                         .increments = true,
                         .pod = Pod{.ns = "shop", .name = "web"},
                         .container = Container{.id = "49b4"}};
  after.namespaces = {pasted, ns};
  observation.imported = true;
  Listener tcp;
  tcp.netns = ns.id;
  tcp.address = *IpAddress::parse("::1");
  tcp.port = 443;
  tcp.v6only = true;
  tcp.cookie = SocketCookie(0xbae1);
  tcp.limit = QueueLimit(128);
  tcp.resized_from = QueueLimit(5);
  tcp.drops = 7;
  tcp.closed = true;
  tcp.pasted_at = "a b:12";
  tcp.owners = {{.pid = Pid(3985), .fd = 6}};
  Listener local;
  local.protocol = Protocol::kUnix;
  local.netns = ns.id;
  local.path = std::string("@\xff\\x") + '\x01';
  local.inode = SocketInode(9);
  after.listeners = {tcp, local};
  Process process;
  process.pid = Pid(3985);
  process.comm = "ng\"\xfeinx";
  process.container = Container{.id = "49b4", .runtime = "containerd"};
  process.pod = Pod{.ns = "default", .name = "web"};
  process.program = "uvicorn";
  process.language = "go";
  process.open_files = 63;
  process.open_files_limit = 64;
  after.processes = {process};
  after.blind_spots = {
      {.id = "AQ602", .scope = "host", .reason = "r", .cost = "c", .unobserved = true}};
  normalize(after);
  observation.samples[listener_key(after.listeners[1])] = {
      .count = 3, .full = 1, .longest = QueueLength(129)};
  observation.before = after;
  Ledger ledger;
  ledger.netns = ns.id;
  ledger.address = tcp.address;
  ledger.port = 443;
  ledger.cookie = tcp.cookie;
  ledger.source = Source::kTracepoints;
  ledger.since_ns = 77;
  ledger.closed_at_ns = 99;
  ledger.set(LedgerTerm::kSynReceived, 12);
  ledger.set(LedgerTerm::kAttemptsRecovered, 281474976710656U);
  ledger.longest = QueueLength(6);
  ledger.syn_longest = 3;
  ledger.depth = {{.below = 2, .count = 1}, {.below = 8, .count = 5}};
  ledger.delay_s = {{.below = 1, .count = 4}};
  ledger.time_in_queue_ns = {{.below = 1250, .count = 9}};
  ledger.listen = ListenCall{.requested = -1, .somaxconn = 4096, .limit = 4096};
  ledger.clients = {{.address = *IpAddress::parse("10.0.0.1"),
                     .prefix_bits = 32,
                     .packets = 9,
                     .attempts = 2,
                     .route = RouteBack::kBlackhole}};
  ledger.prefixes = {
      {.address = *IpAddress::parse("2001:db8::"), .prefix_bits = 48, .packets = 3, .attempts = 1}};
  ledger.addresses = 4;
  ledger.gave_up = 1;
  ledger.syn_unanswered = 5;
  ledger.course = HandshakeCourse{.begin_ns = -7,
                                  .end_ns = 1'000'000'000,
                                  .realtime_ns = 1'700'000'000'000'000'000,
                                  .part_ns = 200'000'000,
                                  .parts = {{.index = 0, .attempts = 3, .unanswered = 2},
                                            {.index = 63, .unheard = 1, .resets = 4, .slow = 5}}};
  observation.ledgers = {ledger, Ledger{}};
  observation.ledgers[0].netns_cookie = 0x1003;
  observation.dead_syns = {{.netns = NetnsId(4026532567),
                            .address = *IpAddress::parse("10.0.0.5"),
                            .port = 443,
                            .reason = "NETFILTER_DROP",
                            .packets = 7,
                            .after_syn = true}};
  observation.after.translations = {{.netns = NetnsId(4026532567),
                                     .address = *IpAddress::parse("10.0.0.5"),
                                     .port = 80,
                                     .to_address = *IpAddress::parse("10.0.1.7"),
                                     .to_port = 8080,
                                     .to_netns = NetnsId(1),
                                     .connections = 12},
                                    Translation{.port = 443}};
  observation.incident = Incident{.at_ns = 1'000'000'007, .waited_seconds = 3600.5};
  observation.timeline["tcp:1:[::1]:443#bae1"] = {
      {.at_ns = 1'000'000'000, .length = QueueLength(3)},
      {.at_ns = 1'050'000'000, .length = QueueLength(129)}};
  return observation;
}

TEST(Json, RoundTripsEveryField) {
  const Observation original = sample();
  const Result<Observation> read = observation_from_json(to_json(original));
  ASSERT_TRUE(read.has_value()) << read.error().message();
  EXPECT_EQ(*read, original);
}

TEST(Json, EveryTruncationIsAnError) {
  const std::string text = to_json(sample());
  for (std::size_t length = 0; length + 2 < text.size(); length += 7) {
    EXPECT_FALSE(observation_from_json(std::string_view(text).substr(0, length)).has_value());
  }
}

std::string changed(const std::string& from, const std::string& to) {
  std::string text = to_json(sample());
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Json, ACourseOfTimeHasPartsOfSomeLengthInOrder) {
  EXPECT_FALSE(observation_from_json(changed("\"part_ns\": 200000000", "\"part_ns\": 0")));
  EXPECT_FALSE(observation_from_json(changed("\"index\": 63", "\"index\": 64")));
  EXPECT_FALSE(observation_from_json(changed("\"index\": 63", "\"index\": 0")));
  EXPECT_TRUE(observation_from_json(changed("\"index\": 63", "\"index\": 62")));
}

struct Times {
  std::int64_t realtime_ns;
  std::int64_t monotonic_ns;
};

// A recording whose end is at that time, and whose beginning at 1'795'000'000'000'000'000 and 5.
std::string with_after(Times times) {
  Observation observation = sample();
  observation.before.monotonic_ns = 5;
  observation.after.realtime_ns = times.realtime_ns;
  observation.after.monotonic_ns = times.monotonic_ns;
  return to_json(observation);
}

TEST(Json, SaysWhatIsWrongAndWhere) {
  struct Row {
    std::string text;
    const char* says;
  };
  const Row rows[] = {
      {"", "line 1, column 1"},
      {"{\n \"schema\": \n}", "line 3, column 1"},
      {"[]", "line 1, column 1 (at $): expected an object, found an array"},
      {"{}", "line 1, column 1 (at $): the member \"schema\" is missing"},
      {"{\"schema\": \"acceptq.observation/9\"}", "line 1, column 12 (at $.schema): expected"},
      {changed("\"port\": 443", "\"port\": \"http\""),
       ".port): expected a whole number from 0 to 65535, found \"http\""},
      {changed("\"port\": 443", "\"port\": 65536"), ".port): expected a whole number"},
      {changed("\"limit\": 128", "\"limit\": -1"),
       ".limit): expected a whole number from 0 to 4294967295, found -1"},
      {changed("\"::1\"", "\"::g\""), ".address): expected an IP address, found \"::g\""},
      {changed("\"mptcp\": false,", ""), "): the member \"mptcp\" is missing"},
      {changed("\"seconds\": 2.5", "\"seconds\": -2"),
       "line 3, column 13 (at $.seconds): expected a number, 0 or more, found -2"},
      {changed("\"cookie\": \"bae1\"", "\"cookie\": \"xyz\""), "hexadecimal"},
      {changed("\"seconds\": 2.5", "\"seconds\": 9, \"seconds\": 2.5"),
       "line 3, column 27: the member \"seconds\" is there twice"},
      {changed("\"fd\": 6", "\"fd\": 6, \"f\\u0064\": 7"), "the member \"fd\" is there twice"},
      {with_after({.realtime_ns = 1'795'000'000'000'000'001, .monotonic_ns = 4}),
       "(at $.after.monotonic_ns): expected a time that is not before that of "
       "$.before.monotonic_ns (5), found 4"},
      {with_after({.realtime_ns = 1'794'000'000'000'000'000, .monotonic_ns = 5}),
       "(at $.after.realtime_ns): expected a time that is not before"},
      {std::string(100000, '['), "nested deeper"},
      {changed("\"::1\"", "\"\\u001b[31m\""), "found \"\\x1b[31m\""},
      {changed("18446744073709551615", "18446744073709551616"), "TcpExtListenDrops): expected"},
      {changed("281474976710656", "281474976710657"), "a count of at most 281474976710656"},
      {changed("\"seconds\": 2.5", "\"seconds\": 1e999"), "not JSON"},
      {to_json(sample()).substr(0, 1000), "the text ends in the middle"},
  };
  for (const Row& row : rows) {
    const Result<Observation> read = observation_from_json(row.text);
    ASSERT_FALSE(read.has_value()) << row.says;
    EXPECT_EQ(read.error().code, ErrorCode::kMalformed);
    EXPECT_NE(read.error().message().find(row.says), std::string::npos) << read.error().message();
  }
}

TEST(JsonTree, BoundsHowManyValues) {
  EXPECT_TRUE(json::parse("[0, {\"a\": 1}]", 4).has_value());
  const auto more = json::parse("[0, {\"a\": 1}]", 3);
  ASSERT_FALSE(more.has_value());
  EXPECT_EQ(more.error().message(), "line 1, column 11: more than 3 values");
}

TEST(Json, PassesOverFieldsOfLaterVersions) {
  EXPECT_TRUE(observation_from_json(changed("\"mptcp\": false", "\"mptcp\": false, \"new\": [1]"))
                  .has_value());
}

// The text of a version that did not write some members yet.
TEST(Json, ReadsWhatIsNotThereYetAsNull) {
  Observation original = sample();
  original.tracing.reset();
  original.incident.reset();
  original.after.listeners[0].drops.reset();
  original.after.processes[0].pod.reset();
  original.ledgers[0].gave_up.reset();
  original.ledgers[0].listen.reset();
  std::string text = to_json(original);
  for (const char* member : {"tracing", "incident", "drops", "pod", "gave_up", "listen",
                             "backlog_requested", "accepted_dead"}) {
    const std::string null = std::string("\"") + member + "\": null";
    std::size_t at = text.find(null);
    ASSERT_NE(at, std::string::npos) << member;
    for (; at != std::string::npos; at = text.find(null)) {
      std::size_t end = at + null.size();
      if (text[end] == ',') {
        ++end;
      } else {
        at = text.rfind(',', at);
      }
      text.erase(at, end - at);
    }
  }
  const Result<Observation> read = observation_from_json(text);
  ASSERT_TRUE(read.has_value()) << read.error().message();
  EXPECT_EQ(*read, original);
}

}  // namespace
}  // namespace acceptq::facts
