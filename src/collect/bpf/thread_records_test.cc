#include "collect/bpf/thread_records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <optional>
#include <span>
#include <string_view>

#include "collect/bpf/threads_wire.h"

namespace acceptq::collect::bpf {
namespace {

using facts::AcceptLink;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

// Records as the program writes them, of all kinds.
class Bytes {
 public:
  template <typename Record>
  Bytes& add(const Record& record) {
    const auto bytes = std::as_bytes(std::span(&record, 1));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  [[nodiscard]] std::span<const std::byte> all() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

template <std::size_t kSize>
void set(char (&field)[kSize], std::string_view text) {
  std::ranges::copy(text.substr(0, kSize), static_cast<char*>(field));
}

// Thread 4711 of process 4700, asleep in read(9, …).
aq_thread_record reading_thread() {
  aq_thread_record record{};
  record.kind = AQ_THREAD;
  record.valid =
      AQ_THREAD_SYSCALL | AQ_THREAD_TIMES | AQ_THREAD_DELAY | AQ_THREAD_SWITCHES | AQ_THREAD_FAULTS;
  record.tgid = 4700;
  record.tid = 4711;
  record.user_ns = 1;
  record.system_ns = 2;
  record.delay_ns = 3;
  record.voluntary = 4;
  record.involuntary = 5;
  record.major_faults = 6;
  record.arguments[0] = 9;
  record.arguments[1] = 0x7fff0000;
  record.syscall = SYS_read;
  record.state = 1;
  record.stack[0] = 0xffffffff81000010;
  record.stack[1] = 0xffffffff81000020;
  record.stack[2] = 0xffffffff81000030;
  record.frames = 3;
  set(record.comm, "worker-3");
  return record;
}

aq_target_record file_target() {
  aq_target_record record{};
  record.kind = AQ_TARGET;
  record.device = 45U << 20 | 7;
  record.inode = 1234;
  set(record.type, "nfs4");
  set(record.source, "10.0.0.9:/data");
  return record;
}

aq_queue_record waiter(std::uint32_t tid, std::uint32_t link) {
  return {.kind = AQ_WAITER, .tgid = 4700, .fd = 6, .tid = tid, .link = link, .epolls = 0};
}

const AddressNames kNames = {
    {0xffffffff81000010, "pipe_read"}, {0xffffffff81000020, ""}, {0xffffffff81000030, "ksys_read"}};

ThreadsSeen parsed(const Bytes& bytes) {
  const Result<ThreadsSeen> seen = parse_thread_records(bytes.all(), kNames);
  EXPECT_TRUE(seen.has_value()) << seen.error().message();
  return seen.value_or(ThreadsSeen{});
}

facts::Wait wait_of(const aq_thread_record& record) {
  const ThreadsSeen seen = parsed(Bytes().add(record));
  EXPECT_THAT(seen.threads, SizeIs(1));
  return seen.threads.empty() ? facts::Wait{} : seen.threads.front().wait;
}

TEST(ThreadRecords, NothingIsNobody) {
  EXPECT_THAT(parsed({}).threads, IsEmpty());
  EXPECT_THAT(parsed({}).listeners, IsEmpty());
}

TEST(ThreadRecords, AThreadInACallAboutAFile) {
  const ThreadsSeen seen = parsed(Bytes().add(reading_thread()).add(file_target()));
  ASSERT_THAT(seen.threads, SizeIs(1));
  const ThreadLook& look = seen.threads.front();
  EXPECT_EQ(look.pid, Pid(4700));
  EXPECT_EQ(look.tid, Pid(4711));
  EXPECT_EQ(look.comm, "worker-3");
  EXPECT_EQ(look.wait.state, "S");
  EXPECT_EQ(look.wait.syscall, "read");
  EXPECT_EQ(look.wait.fd, 9);
  EXPECT_EQ(look.wait.lock, std::nullopt);
  EXPECT_EQ(look.wait.looks, 1U);
  EXPECT_THAT(look.wait.stack, ElementsAre("pipe_read", "ksys_read"));
  const facts::ThreadTimes times{.user_ns = 1,
                                 .system_ns = 2,
                                 .delay_ns = 3,
                                 .voluntary = 4,
                                 .involuntary = 5,
                                 .major_faults = 6};
  EXPECT_EQ(look.times, times);
  facts::FileTarget target;
  target.type = "nfs4";
  target.device = 45U << 20 | 7;
  target.inode = 1234;
  target.source = "10.0.0.9:/data";
  EXPECT_EQ(look.wait.target, target);
}

// Its target is the file then (threads.bpf.c).
TEST(ThreadRecords, AThreadThatSendsAFileAndWaitsForIt) {
  aq_thread_record record = reading_thread();
  record.syscall = SYS_sendfile;
  record.arguments[1] = 11;
  EXPECT_EQ(parsed(Bytes().add(record)).threads.front().wait.fd, 9);
  record.state = 2;  // TASK_UNINTERRUPTIBLE
  EXPECT_EQ(parsed(Bytes().add(record)).threads.front().wait.fd, 11);
}

TEST(ThreadRecords, WhatTheKernelLacksStaysEmpty) {
  aq_thread_record record = reading_thread();
  record.valid = 0;
  const ThreadsSeen seen = parsed(Bytes().add(record));
  EXPECT_EQ(seen.threads.front().times, facts::ThreadTimes{});
  EXPECT_EQ(seen.threads.front().wait.syscall, std::nullopt);
  EXPECT_EQ(seen.threads.front().wait.fd, std::nullopt);
  EXPECT_THAT(parse_thread_records(Bytes().add(record).all(), {})->threads.front().wait.stack,
              IsEmpty());
}

TEST(ThreadRecords, ConnectionsHaveAddresses) {
  aq_target_record v4{};
  v4.kind = AQ_TARGET;
  v4.addresses.family = AF_INET;
  v4.addresses.local_port = 8080;
  v4.addresses.peer_port = 40000;
  const std::uint8_t local[] = {10, 0, 0, 1};
  const std::uint8_t peer[] = {10, 0, 0, 2};
  std::ranges::copy(local, static_cast<std::uint8_t*>(v4.addresses.local));
  std::ranges::copy(peer, static_cast<std::uint8_t*>(v4.addresses.peer));
  set(v4.type, "sockfs");
  aq_target_record v6 = v4;
  v6.addresses.family = AF_INET6;
  v6.answer_due = AQ_ANSWER_GIVEN;
  const ThreadsSeen seen =
      parsed(Bytes().add(reading_thread()).add(v4).add(reading_thread()).add(v6));
  ASSERT_THAT(seen.threads, SizeIs(2));
  const facts::FileTarget target = seen.threads[0].wait.target.value();
  EXPECT_EQ(target.local, facts::IpAddress::parse("10.0.0.1"));
  EXPECT_EQ(target.local_port, 8080);
  EXPECT_EQ(target.peer, facts::IpAddress::parse("10.0.0.2"));
  EXPECT_EQ(target.peer_port, 40000);
  EXPECT_EQ(target.source, std::nullopt);
  EXPECT_EQ(target.answer_due, std::nullopt);
  EXPECT_TRUE(seen.threads[1].wait.target.value().peer.value().is_v6());
  EXPECT_EQ(seen.threads[1].wait.target.value().answer_due, false);
}

TEST(ThreadRecords, AFutexIsALockAndOtherCallsAreNoDescriptors) {
  aq_thread_record record = reading_thread();
  record.syscall = SYS_futex;
  record.arguments[0] = 0x7f0012345678;
  record.arguments[3] = 0;
  EXPECT_EQ(wait_of(record).lock, 0x7f0012345678U);
  EXPECT_EQ(wait_of(record).timed, false);
  record.arguments[3] = 0x7ffd00001000;
  EXPECT_EQ(wait_of(record).timed, true);
  EXPECT_EQ(wait_of(record).fd, std::nullopt);
  record.syscall = SYS_ppoll;
  EXPECT_EQ(wait_of(record).syscall, "ppoll");
  EXPECT_EQ(wait_of(record).lock, std::nullopt);
  EXPECT_EQ(wait_of(record).timed, false);  // the third argument is its time
  EXPECT_EQ(wait_of(record).fd, std::nullopt);
  record.syscall = 0x40000000;  // x32
  EXPECT_EQ(wait_of(record).syscall, std::nullopt);
}

TEST(ThreadRecords, ThreadsAreInOrderWhateverOrderTheyCameIn) {
  aq_thread_record later = reading_thread();
  later.tid = 4712;
  aq_thread_record other = reading_thread();
  other.tgid = 4600;
  other.tid = 9000;
  const ThreadsSeen seen = parsed(Bytes().add(later).add(reading_thread()).add(other));
  ASSERT_THAT(seen.threads, SizeIs(3));
  EXPECT_EQ(seen.threads[0].tid, Pid(9000));
  EXPECT_EQ(seen.threads[1].tid, Pid(4711));
  EXPECT_EQ(seen.threads[2].tid, Pid(4712));
}

TEST(ThreadRecords, WaitersByTheirStrongestLink) {
  const aq_queue_record end{
      .kind = AQ_QUEUE, .tgid = 4700, .fd = 6, .tid = 0, .link = 0, .epolls = 2};
  const aq_queue_record nobody{
      .kind = AQ_QUEUE, .tgid = 4700, .fd = 5, .tid = 0, .link = 0, .epolls = 0};
  const ThreadsSeen seen = parsed(Bytes()
                                      .add(waiter(4712, AQ_BY_EPOLL))
                                      .add(waiter(4711, AQ_BY_POLL))
                                      .add(waiter(4712, AQ_BY_ACCEPT))
                                      .add(waiter(4712, AQ_BY_POLL))
                                      .add(end)
                                      .add(nobody));
  ASSERT_THAT(seen.listeners, SizeIs(2));
  EXPECT_EQ(seen.listeners[0].fd, 5);
  EXPECT_THAT(seen.listeners[0].waiters, IsEmpty());
  const WaiterLook& look = seen.listeners[1];
  EXPECT_EQ(look.pid, Pid(4700));
  EXPECT_EQ(look.fd, 6);
  EXPECT_EQ(look.epolls, 2U);
  ASSERT_THAT(look.waiters, SizeIs(2));
  EXPECT_EQ(look.waiters[0].tid, Pid(4711));
  EXPECT_EQ(look.waiters[0].link, AcceptLink::kPoll);
  EXPECT_EQ(look.waiters[1].tid, Pid(4712));
  EXPECT_EQ(look.waiters[1].link, AcceptLink::kAccept);
}

TEST(ThreadRecords, ATruncatedRecordIsAnError) {
  const Bytes bytes = Bytes().add(reading_thread()).add(file_target()).add(waiter(1, 0));
  const std::size_t target_end = sizeof(aq_thread_record) + sizeof(aq_target_record);
  for (std::size_t size = 1; size < bytes.all().size(); ++size) {
    if (size == sizeof(aq_thread_record) || size == target_end) continue;
    const Result<ThreadsSeen> seen = parse_thread_records(bytes.all().first(size), kNames);
    ASSERT_FALSE(seen.has_value()) << size;
    EXPECT_EQ(seen.error().code, ErrorCode::kTruncated);
  }
}

TEST(ThreadRecords, WhatTheProgramNeverWritesIsAnError) {
  aq_thread_record deep = reading_thread();
  deep.frames = AQ_FRAMES + 1;
  aq_target_record family = file_target();
  family.addresses.family = AF_PACKET;
  aq_queue_record kind = waiter(1, 0);
  kind.kind = 99;
  for (const Bytes& bytes :
       {Bytes().add(deep), Bytes().add(reading_thread()).add(family), Bytes().add(kind),
        Bytes().add(waiter(1, 3)), Bytes().add(file_target()),
        Bytes().add(reading_thread()).add(file_target()).add(file_target())}) {
    const Result<ThreadsSeen> seen = parse_thread_records(bytes.all(), kNames);
    ASSERT_FALSE(seen.has_value());
    EXPECT_EQ(seen.error().code, ErrorCode::kMalformed);
    static_cast<void>(unnamed_addresses(bytes.all(), {}));
  }
}

TEST(ThreadRecords, AddressesAreAskedForOnce) {
  const Bytes bytes = Bytes().add(reading_thread()).add(reading_thread());
  EXPECT_THAT(unnamed_addresses(bytes.all(), {}),
              UnorderedElementsAre(0xffffffff81000010, 0xffffffff81000020, 0xffffffff81000030));
  EXPECT_THAT(unnamed_addresses(bytes.all(), kNames), IsEmpty());
}

TEST(ThreadRecords, NamesComeByIndex) {
  constexpr std::uint64_t kAddresses[] = {10, 20, 30, 40, 50};
  AddressNames names;
  take_names(
      "2 nfs4_wait_bit_killable+0x1e/0x40 [nfsv4]\n0 pipe_read+0x3c1/0x4c0\n"
      "1 0xffffffffc0001234\n9 beyond+0x1/0x2\n-1 before+0x1/0x2\n\n4\nx y+0x1\n",
      kAddresses, names);
  const AddressNames expected = {
      {10, "pipe_read"}, {20, ""}, {30, "nfs4_wait_bit_killable"}, {40, ""}, {50, ""}};
  EXPECT_EQ(names, expected);
}

TEST(ThreadRecords, WhatWakesAWaiter) {
  EXPECT_EQ(wake_meaning("autoremove_wake_function"), AQ_WAKE_ACCEPT);
  EXPECT_EQ(wake_meaning("receiver_wake_function"), AQ_WAKE_ACCEPT);
  EXPECT_EQ(wake_meaning("pollwake"), AQ_WAKE_POLL);
  EXPECT_EQ(wake_meaning("pollwake.llvm.4711"), AQ_WAKE_POLL);
  EXPECT_EQ(wake_meaning("ep_poll_callback"), AQ_WAKE_EPOLL);
  EXPECT_EQ(wake_meaning("io_poll_wake"), AQ_WAKE_IO_URING);
  EXPECT_EQ(wake_meaning("default_wake_function"), AQ_WAKE_OTHER);
  EXPECT_EQ(wake_meaning(""), AQ_WAKE_OTHER);
}

TEST(ThreadRecords, StatesAsProcShowsThem) {
  const struct {
    std::uint32_t state;
    std::uint32_t exit_state;
    char letter;
  } cases[] = {
      {0, 0, 'R'},      {1, 0, 'S'},     {2, 0, 'D'},       {0x102, 0, 'D'},  // killable
      {0x104, 0, 'T'},  {8, 0, 't'},     {0x80, 0x10, 'X'}, {0x80, 0x20, 'Z'},
      {0x40, 0, 'P'},   {0x402, 0, 'I'}, {0x1000, 0, 'D'},  {0x8000, 0, 'D'},  // frozen
      {0x2001, 0, 'S'}, {~0U, ~0U, 'I'},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(state_letter(test.state, test.exit_state), test.letter) << test.state;
  }
}

}  // namespace
}  // namespace acceptq::collect::bpf
