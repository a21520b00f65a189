#include "facts/threads.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "facts/json.h"
#include "facts/snapshot.h"

namespace acceptq::facts {
namespace {

Observation with_evidence() {
  Observation observation;
  FileTarget target{.type = "nfs4",
                    .device = 48,
                    .inode = 7,
                    .path = "/data/a\xff.jpg",
                    .source = "10.0.0.9:/data"};
  FileTarget socket{.type = "sockfs", .device = 8, .inode = 9};
  socket.peer = IpAddress::parse("10.0.0.7");
  socket.peer_port = 3306;
  ThreadWatch thread{.pid = Pid(3985), .tid = Pid(3986), .comm = "nginx"};
  thread.link = AcceptLink::kEpoll;
  thread.looks = 5;
  thread.watched_ns = 2'000'000'000;
  thread.times.delay_ns = 12;
  thread.waits = {
      {.state = "D",
       .syscall = "read",
       .fd = 11,
       .target = target,
       .stack = {"rpc_wait_bit_killable", "nfs_read_folio"},
       .looks = 4,
       .when = {1, 3}},
      {.state = "S", .syscall = "futex", .lock = 0x7fff00001234, .timed = true, .looks = 1},
      {.state = "S", .syscall = "recvfrom", .fd = 4, .target = socket}};
  thread.closed = 12;
  thread.exact = ExactTime{.counted_ns = 100, .on_core_ns = 2, .ready_ns = 3, .unplaced_ns = 5};
  thread.exact->blocked = {{.state = "D",
                            .syscall = "read",
                            .stack = {"rpc_wait_bit_killable"},
                            .ns = 89,
                            .times = 7,
                            .woken = 2},
                           {.state = "S", .ns = 1, .times = 1}};
  Acceptors& acceptors = observation.accept_evidence.acceptors["tcp:1:0.0.0.0:80#2"];
  acceptors = {.queue_looks = 5,
               .waited_for = 1,
               .in_epoll = 5,
               .parts = LookParts{.begin_ns = 17},
               .threads = {thread}};
  observation.accept_evidence.processes = {{.pid = Pid(3985),
                                            .tracer = Pid(4),
                                            .dumping_core = false,
                                            .frozen_group = "/a",
                                            .cpu_groups = {{.path = "/a/b",
                                                            .version = 1,
                                                            .quota_us = 5000,
                                                            .period_us = 100000,
                                                            .periods = 20,
                                                            .throttled = 19,
                                                            .throttled_ns = 1}},
                                            .cpu_groups_seen = true,
                                            .memory_groups = {{.path = "/a",
                                                               .high_bytes = 50003968,
                                                               .above_high = 321,
                                                               .at_max = 0,
                                                               .stalled_us = 1900000}}}};
  observation.accept_evidence.fuse = {{.device = 49,
                                       .mountpoint = "/mnt/images",
                                       .type = "fuse.slow",
                                       .waiting = 3,
                                       .daemon = Pid(812),
                                       .daemon_comm = "slowfs",
                                       .daemon_state = "T"}};
  observation.accept_evidence.nfs = {{.source = "10.0.0.9:/data",
                                      .mountpoint = "/data",
                                      .operations = 12,
                                      .repeated = 1,
                                      .round_trip_ms = 11900}};
  observation.accept_evidence.pipe_readers = {
      {.inode = 8769196, .pid = Pid(28907), .comm = "cat", .state = "T"}};
  observation.accept_evidence.disks = {
      {.name = "dm-0",
       .device = 253U << 20,
       .mapper = "vg0-images",
       .mounts = {{.device = 253U << 20, .mountpoint = "/srv/images"}},
       .beneath = {"sda2", "sda"},
       .in_flight = 3,
       .watched_ms = 2000,
       .reads = 4,
       .read_ms = 1900,
       .writes = 0,
       .write_ms = 0,
       .busy_ms = 1980},
      {.name = "sda", .device = 8U << 20}};
  observation.accept_evidence.hung_tasks = {.total = 7, .more = 2};
  return observation;
}

TEST(Threads, PartsOfTheTimeBecomeLongerAndLoseNothing) {
  std::vector<std::uint32_t> when;
  add_when(0, 2, when);
  add_when(4, 3, when);
  add_when(4, 1, when);
  EXPECT_EQ(when, (std::vector<std::uint32_t>{2, 0, 0, 0, 4}));
  coarsen(when);
  EXPECT_EQ(when, (std::vector<std::uint32_t>{2, 0, 4}));
  coarsen(when);
  EXPECT_EQ(when, (std::vector<std::uint32_t>{2, 4}));
  std::vector<std::uint32_t> nothing;
  coarsen(nothing);
  EXPECT_TRUE(nothing.empty());
}

TEST(Threads, RecordingsKeepTheEvidence) {
  const Observation observation = with_evidence();
  const Result<Observation> read = observation_from_json(to_json(observation));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->accept_evidence, observation.accept_evidence);
}

// Recordings of the first versions have no such member.
TEST(Threads, AThreadWithoutExactTimeIsRead) {
  Observation observation = with_evidence();
  observation.accept_evidence.acceptors.begin()->second.threads[0].exact.reset();
  std::string text = to_json(observation);
  const std::string member = "\"exact\": null";
  const auto at = text.find(member);
  ASSERT_NE(at, std::string::npos);
  const auto comma = text.rfind(',', at);
  text.erase(comma, at + member.size() - comma);
  const Result<Observation> read = observation_from_json(text);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->accept_evidence, observation.accept_evidence);
}

// Those of versions that did not look at disks.
TEST(Threads, EarlierRecordingsHaveNoDisks) {
  nlohmann::json recording = nlohmann::json::parse(to_json(with_evidence()));
  recording["accept_evidence"]["processes"][0].erase("memory_groups");
  recording["accept_evidence"].erase("disks");
  recording["accept_evidence"].erase("pipe_readers");
  recording["accept_evidence"].erase("hung_tasks");
  const Result<Observation> read = observation_from_json(recording.dump());
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_TRUE(read->accept_evidence.processes[0].memory_groups.empty());
  EXPECT_TRUE(read->accept_evidence.disks.empty());
  EXPECT_FALSE(read->accept_evidence.hung_tasks);
}

TEST(Threads, UnknownLinksAreRefusedAtTheirPlace) {
  std::string text = to_json(with_evidence());
  const auto at = text.find("\"epoll\"");
  ASSERT_NE(at, std::string::npos);
  text.replace(at, 7, "\"maybe\"");
  const Result<Observation> read = observation_from_json(text);
  ASSERT_FALSE(read);
  EXPECT_NE(
      read.error().message().find("threads[0].link): expected one of accept, poll, epoll, owner"),
      std::string::npos)
      << read.error().message();
}

}  // namespace
}  // namespace acceptq::facts
