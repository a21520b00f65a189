#include "collect/bpf/iterator_records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <limits>
#include <string_view>

#include "collect/bpf/listeners_wire.h"

namespace acceptq::collect::bpf {
namespace {

using facts::IpAddress;
using facts::OwnerRef;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr long kTicks = 100;
constexpr std::uint32_t kSynQueueAndDrops = AQ_HAS_SYN_QUEUE | AQ_HAS_DROPS;

void set_comm(aq_listener_record& record, std::string_view comm) {
  std::ranges::copy(comm.substr(0, AQ_COMM_LEN), static_cast<char*>(record.comm));
}

void set_path(aq_listener_record& record, std::string_view path) {
  std::ranges::copy(path.substr(0, AQ_PATH_LEN), static_cast<char*>(record.path));
  record.path_len = static_cast<std::uint16_t>(path.size());
}

// nginx on 0.0.0.0:80, as descriptor 6 of process 3985.
aq_listener_record tcp_record() {
  aq_listener_record record{};
  record.start_boottime_ns = 12'345'678'901;
  record.cookie = 0xbae1;
  record.inode = 48213;
  record.tgid = 3985;
  record.parent_tgid = 3900;
  record.uid = 101;
  record.task_netns = 4026532567U;
  record.fd = 6;
  record.netns = 4026532567U;
  record.accept_len = 129;
  record.accept_limit = 128;
  record.family = AF_INET;
  record.port = 80;
  set_comm(record, "nginx");
  return record;
}

aq_listener_record unix_record(std::string_view path) {
  aq_listener_record record = tcp_record();
  record.family = AF_UNIX;
  record.port = 0;
  set_path(record, path);
  return record;
}

Result<IteratorScan> parse(const std::vector<aq_listener_record>& records) {
  return parse_iterator_records(std::as_bytes(std::span(records)), kTicks);
}

facts::Listener only_listener(const aq_listener_record& record) {
  const Result<IteratorScan> scan = parse({record});
  EXPECT_TRUE(scan.has_value()) << scan.error().message();
  if (!scan) return {};
  EXPECT_THAT(scan->listeners, SizeIs(1));
  return scan->listeners.front();
}

TEST(IteratorRecords, NothingIsAnEmptyScan) {
  const Result<IteratorScan> scan = parse({});
  ASSERT_TRUE(scan.has_value());
  EXPECT_EQ(scan->records, 0U);
  EXPECT_THAT(scan->listeners, IsEmpty());
}

TEST(IteratorRecords, AnIpv4Listener) {
  aq_listener_record record = tcp_record();
  const std::uint8_t address[] = {10, 0, 0, 3};
  std::ranges::copy(address, static_cast<std::uint8_t*>(record.address));
  record.syn_len = 3;
  record.syn_young = 1;
  record.drops = 93844;
  record.ifindex = 7;
  record.socket_uid = 33;
  record.cgroup_id = 4242;
  record.flags = AQ_REUSEPORT;
  record.valid = kSynQueueAndDrops | AQ_HAS_SOCKET_UID | AQ_HAS_CGROUP;
  const facts::Listener listener = only_listener(record);
  EXPECT_EQ(listener.protocol, facts::Protocol::kTcp);
  EXPECT_EQ(listener.netns, NetnsId(4026532567U));
  EXPECT_EQ(listener.address, IpAddress::parse("10.0.0.3"));
  EXPECT_EQ(listener.port, 80);
  EXPECT_EQ(listener.cookie, SocketCookie(0xbae1));
  EXPECT_EQ(listener.inode, SocketInode(48213));
  EXPECT_EQ(listener.accept_queue_len, QueueLength(129));
  EXPECT_EQ(listener.limit, QueueLimit(128));
  EXPECT_EQ(listener.syn_queue_len, 3U);
  EXPECT_EQ(listener.syn_queue_young, 1U);
  EXPECT_EQ(listener.drops, 93844U);
  EXPECT_EQ(listener.ifindex, 7U);
  EXPECT_EQ(listener.uid, 33U);
  EXPECT_EQ(listener.cgroup_id, 4242U);
  EXPECT_EQ(listener.reuseport, true);
  EXPECT_EQ(listener.v6only, std::nullopt);
  EXPECT_FALSE(listener.mptcp);
  EXPECT_THAT(listener.owners, ElementsAre(OwnerRef{Pid(3985), 6}));
  EXPECT_FALSE(listener.owners_complete);
}

TEST(IteratorRecords, AnIpv6ListenerSaysWhetherItTakesIpv4Too) {
  aq_listener_record record = tcp_record();
  record.family = AF_INET6;
  record.address[15] = 1;
  EXPECT_EQ(only_listener(record).v6only, false);
  EXPECT_EQ(only_listener(record).address, IpAddress::parse("::1"));
  record.flags = AQ_V6ONLY | AQ_MPTCP;
  EXPECT_EQ(only_listener(record).v6only, true);
  EXPECT_TRUE(only_listener(record).mptcp);
  EXPECT_EQ(only_listener(record).reuseport, false);
}

TEST(IteratorRecords, WhatTheKernelLacksStaysEmpty) {
  aq_listener_record record = tcp_record();
  record.syn_len = record.syn_young = record.drops = record.socket_uid = 5;
  record.cgroup_id = record.net_cookie = 5;
  record.somaxconn = 5;
  const Result<IteratorScan> scan = parse({record});
  ASSERT_TRUE(scan.has_value());
  const facts::Listener& listener = scan->listeners.front();
  EXPECT_EQ(listener.syn_queue_len, std::nullopt);
  EXPECT_EQ(listener.syn_queue_young, std::nullopt);
  EXPECT_EQ(listener.drops, std::nullopt);
  EXPECT_EQ(listener.uid, std::nullopt);
  EXPECT_EQ(listener.cgroup_id, std::nullopt);
  EXPECT_EQ(listener.ifindex, std::nullopt);
  EXPECT_EQ(scan->namespaces.front().cookie, std::nullopt);
  EXPECT_THAT(scan->namespaces.front().sysctls, IsEmpty());
}

TEST(IteratorRecords, UnixNames) {
  const struct {
    std::string_view bytes;
    std::string expected;
  } cases[] = {
      {std::string_view("/run/x.sock\0", 12), "/run/x.sock"},
      {"/run/x.sock", "/run/x.sock"},
      {std::string_view("\0abc", 4), "@abc"},
      {std::string_view("\0a\0b", 4), "@a@b"},
      {std::string_view("\0", 1), "@"},
      {"", ""},
  };
  for (const auto& test : cases) {
    const facts::Listener listener = only_listener(unix_record(test.bytes));
    EXPECT_EQ(listener.protocol, facts::Protocol::kUnix);
    EXPECT_EQ(listener.path, test.expected);
    EXPECT_EQ(listener.reuseport, std::nullopt);
    EXPECT_EQ(listener.syn_queue_len, std::nullopt);
  }
  const std::string longest(AQ_PATH_LEN, 'x');  // sun_path may lack its final NUL
  EXPECT_EQ(only_listener(unix_record(longest)).path, longest);
}

TEST(IteratorRecords, AProcessAndItsStartInTicks) {
  const Result<IteratorScan> scan = parse({tcp_record()});
  ASSERT_TRUE(scan.has_value());
  ASSERT_THAT(scan->processes, SizeIs(1));
  const facts::Process& process = scan->processes.front();
  EXPECT_EQ(process.pid, Pid(3985));
  EXPECT_EQ(process.parent, Pid(3900));
  EXPECT_EQ(process.start_ticks, 1234U);  // rounded down, as nsec_to_clock_t does
  EXPECT_EQ(process.comm, "nginx");
  EXPECT_EQ(process.uid, 101U);
  EXPECT_EQ(process.netns, NetnsId(4026532567U));
}

TEST(IteratorRecords, ANameWithoutNulAndAProcessThatIsEnding) {
  aq_listener_record record = tcp_record();
  set_comm(record, "sixteen.bytes.16");
  record.task_netns = 0;
  const Result<IteratorScan> scan = parse({record});
  ASSERT_TRUE(scan.has_value());
  EXPECT_EQ(scan->processes.front().comm, "sixteen.bytes.16");
  EXPECT_EQ(scan->processes.front().netns, std::nullopt);
}

TEST(IteratorRecords, DescriptorsOfOneSocketAreOwnersOfOneListener) {
  aq_listener_record worker = tcp_record();
  worker.tgid = 3990;
  worker.accept_len = 7;
  aq_listener_record copy = tcp_record();
  copy.fd = 3;
  const Result<IteratorScan> scan = parse({worker, tcp_record(), copy, tcp_record()});
  ASSERT_TRUE(scan.has_value());
  EXPECT_EQ(scan->records, 4U);
  ASSERT_THAT(scan->listeners, SizeIs(1));
  EXPECT_THAT(scan->listeners.front().owners,
              ElementsAre(OwnerRef{Pid(3985), 3}, OwnerRef{Pid(3985), 6}, OwnerRef{Pid(3990), 6}));
  EXPECT_EQ(scan->listeners.front().accept_queue_len, QueueLength(7));  // the first record's
  EXPECT_THAT(scan->processes, SizeIs(2));
  EXPECT_THAT(scan->namespaces, SizeIs(1));
}

TEST(IteratorRecords, ACookieThatAppearsBetweenTwoRecordsIsThatOfTheSameSocket) {
  aq_listener_record early = tcp_record();
  early.cookie = 0;
  aq_listener_record late = tcp_record();
  late.fd = 9;
  for (const auto& records : {std::vector{early, late}, std::vector{late, early}}) {
    const Result<IteratorScan> scan = parse(records);
    ASSERT_TRUE(scan.has_value());
    ASSERT_THAT(scan->listeners, SizeIs(1));
    EXPECT_EQ(scan->listeners.front().cookie, SocketCookie(0xbae1));
    EXPECT_THAT(scan->listeners.front().owners, SizeIs(2));
  }
}

TEST(IteratorRecords, AnInodeMayRepeat) {
  aq_listener_record other_cookie = tcp_record();
  other_cookie.cookie = 0xbae2;
  aq_listener_record other_namespace = tcp_record();
  other_namespace.cookie = 0;
  other_namespace.netns = 4026531840U;
  const Result<IteratorScan> scan = parse({tcp_record(), other_cookie, other_namespace});
  ASSERT_TRUE(scan.has_value());
  EXPECT_THAT(scan->listeners, SizeIs(3));
  EXPECT_THAT(scan->namespaces, SizeIs(2));
}

TEST(IteratorRecords, AProcessOutsideThePidNamespaceIsLeftOut) {
  aq_listener_record record = tcp_record();
  record.tgid = 0;
  const Result<IteratorScan> scan = parse({record});
  ASSERT_TRUE(scan.has_value());
  ASSERT_THAT(scan->listeners, SizeIs(1));
  EXPECT_THAT(scan->listeners.front().owners, IsEmpty());
  EXPECT_THAT(scan->processes, IsEmpty());
}

TEST(IteratorRecords, SysctlsAndCookieOfANamespace) {
  aq_listener_record record = tcp_record();
  record.net_cookie = 3;
  record.somaxconn = 4096;
  record.max_syn_backlog = std::numeric_limits<std::int32_t>::max();
  record.syncookies = 2;
  record.abort_on_overflow = 1;
  record.synack_retries = 5;
  record.fastopen = -1;
  record.valid = AQ_HAS_NET_COOKIE | AQ_HAS_SOMAXCONN | AQ_HAS_MAX_SYN_BACKLOG | AQ_HAS_SYNCOOKIES |
                 AQ_HAS_ABORT_ON_OVERFLOW | AQ_HAS_SYNACK_RETRIES | AQ_HAS_FASTOPEN;
  const Result<IteratorScan> scan = parse({record});
  ASSERT_TRUE(scan.has_value());
  const NamespaceSeen& seen = scan->namespaces.front();
  EXPECT_EQ(seen.id, NetnsId(4026532567U));
  EXPECT_EQ(seen.cookie, 3U);
  const std::map<std::string, facts::Sysctl> expected = {
      {facts::kSomaxconn, {facts::SysctlState::kValue, 4096, ""}},
      {facts::kMaxSynBacklog, {facts::SysctlState::kValue, 2147483647, ""}},
      {facts::kSyncookies, {facts::SysctlState::kValue, 2, ""}},
      {facts::kAbortOnOverflow, {facts::SysctlState::kValue, 1, ""}},
      {facts::kSynackRetries, {facts::SysctlState::kValue, 5, ""}},
      {facts::kFastopen, {facts::SysctlState::kValue, -1, ""}}};
  EXPECT_EQ(seen.sysctls, expected);
}

TEST(IteratorRecords, ATruncatedRecordIsAnError) {
  const std::vector<aq_listener_record> records = {tcp_record(), tcp_record()};
  const std::span<const std::byte> bytes = std::as_bytes(std::span(records));
  for (const std::size_t size : {std::size_t{1}, sizeof(aq_listener_record) - 1,
                                 sizeof(aq_listener_record) + 1, bytes.size() - 1}) {
    const Result<IteratorScan> scan = parse_iterator_records(bytes.first(size), kTicks);
    ASSERT_FALSE(scan.has_value()) << size;
    EXPECT_EQ(scan.error().code, ErrorCode::kTruncated);
  }
}

TEST(IteratorRecords, WhatTheProgramNeverWritesIsAnError) {
  aq_listener_record family = tcp_record();
  family.family = AF_PACKET;
  aq_listener_record path = unix_record("/run/x.sock");
  path.path_len = AQ_PATH_LEN + 1;
  for (const aq_listener_record& record : {family, path}) {
    const Result<IteratorScan> scan = parse({record});
    ASSERT_FALSE(scan.has_value());
    EXPECT_EQ(scan.error().code, ErrorCode::kMalformed);
  }
}

}  // namespace
}  // namespace acceptq::collect::bpf
