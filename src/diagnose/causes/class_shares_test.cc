// Time of threads that was counted without a gap, and the cause that follows.
#include "diagnose/causes/class_shares.h"

#include <gtest/gtest.h>

#include "diagnose/causes/causes_test_support.h"

namespace acceptq::diagnose {
namespace {

// A thread of which 100 looks saw nothing but `seen`, and whose time was counted.
ThreadWatch counted(Wait seen, facts::ExactTime exact) {
  ThreadWatch watch = thread(3985, 3985, AcceptLink::kEpoll, std::move(seen), 1);
  watch.exact = std::move(exact);
  return watch;
}

TEST(Causes, CountedTimeOutweighsLooks) {
  // Looks come at the same moments as the sleep does, which is short.
  const facts::ExactTime waiting{
      .counted_ns = 4 * kSecond,
      .ready_ns = 3 * kSecond,
      .blocked = {{.state = "S", .syscall = "clock_nanosleep", .ns = kSecond, .times = 40}}};
  const Report report =
      report_of(full(counted(in_call("S", "clock_nanosleep", {"do_nanosleep"}), waiting)));
  const Finding* finding = find(report, "AQ303");
  ASSERT_NE(finding, nullptr);
  EXPECT_NEAR(*finding->cause->share, 0.75, 0.001);
  EXPECT_TRUE(says(finding, "waits for a CPU core: 75 % of 4.0 s."));
  EXPECT_EQ(find(report, "AQ308"), nullptr);
}

// Tinyproxy at MaxClients tries again every 16 µs: where its time is not counted, looks meet it
// ready, and its threads ask another server.
TEST(Causes, WhoNapsThousandsOfTimesASecondIsNotBusy) {
  Wait ready = running();
  ready.syscall = "clock_nanosleep";
  ThreadWatch naps = thread(3985, 3985, AcceptLink::kOwner, ready, 1);
  const auto of = [&](std::uint64_t times) {
    naps.times.voluntary = times;
    Observation observation =
        stuck({naps, still(3990, reads_from_peer()), still(3991, reads_from_peer())});
    facts::Acceptors& acceptors = observation.accept_evidence.acceptors.begin()->second;
    acceptors.in_epoll = 0;
    acceptors.held = {{.pid = Pid(3985), .most = 2, .silent = 0, .asked = 2, .unanswered = 2}};
    return kinds(observation);
  };
  EXPECT_EQ(of(12'000), Kinds{"upstream"});
  EXPECT_EQ(of(40), Kinds{"unknown"});  // it may lack a core
}

TEST(Causes, TimeOnACoreIsCountedWithoutTicks) {
  ThreadWatch busy =
      counted(running(),
              {.counted_ns = 2 * kSecond, .on_core_ns = 2 * kSecond - 1'000, .unplaced_ns = 1'000});
  busy.times = {};
  EXPECT_EQ(kinds(full(busy)), Kinds{"cpu.busy"});
  EXPECT_TRUE(says(find(report_of(full(busy)), "AQ304"), "is busy computing: 100 % of 2.0 s."));
}

// What a place is about, only looks know: of a stack that two of them share, each gets its part.
TEST(Causes, LooksTellWhatABlockedPlaceIsAbout) {
  const std::vector<std::string> stack = {"wait_woken", "sk_wait_data", "tcp_recvmsg"};
  Wait client = in_call("S", "recvfrom", stack);
  client.target = facts::FileTarget{.type = "sockfs"};
  client.target->local = facts::IpAddress::parse("10.0.0.2");
  client.target->local_port = 80;
  client.target->peer = facts::IpAddress::parse("10.0.0.3");
  Wait other = client;
  other.target->local_port = 50000;
  facts::ExactTime exact{.counted_ns = 2 * kSecond};
  // The scheduler's functions, which looks leave out, are inside.
  exact.blocked = {{.state = "S",
                    .syscall = "recvfrom",
                    .stack = {"schedule_timeout", "wait_woken", "sk_wait_data", "tcp_recvmsg"},
                    .ns = 2 * kSecond,
                    .times = 9}};
  ThreadWatch watch = counted(client, exact);
  other.looks = kLooks;
  watch.waits.push_back(other);
  const Report report = report_of(full(watch));
  const auto share_of = [&](CauseKind kind) {
    for (const Finding& finding : report.findings) {
      if (finding.cause && finding.cause->kind == kind) return finding.cause->share.value_or(0);
    }
    return 0.0;
  };
  EXPECT_NEAR(share_of(CauseKind::kClient), 0.5, 0.001);
  EXPECT_NEAR(share_of(CauseKind::kUpstream), 0.5, 0.001);
}

// The stack could not be kept: a look at the same call tells whether a timer ends it.
TEST(Causes, ALockWithATimerIsOneWhereverItWasCounted) {
  Wait timed = in_call("S", "futex", {"futex_wait_queue"});
  timed.timed = true;
  const facts::ExactTime exact{
      .counted_ns = 2 * kSecond,
      .blocked = {{.state = "S", .syscall = "futex", .ns = 2 * kSecond, .times = 4}}};
  EXPECT_EQ(find(report_of(full(counted(timed, exact))), "AQ305"), nullptr);
  timed.timed = false;
  EXPECT_NE(find(report_of(full(counted(timed, exact))), "AQ305"), nullptr);
}

// Nor what poll() waits for.
TEST(Causes, ALookTellsWhatPollWaitsForWhereverItWasCounted) {
  Wait poll = in_call("S", "poll", {"do_poll"});
  poll.target = facts::FileTarget{.type = "sockfs"};
  poll.target->local = facts::IpAddress::parse("10.0.0.2");
  poll.target->local_port = 80;
  poll.target->peer = facts::IpAddress::parse("10.0.0.3");
  const facts::ExactTime exact{
      .counted_ns = 2 * kSecond,
      .blocked = {{.state = "S", .syscall = "poll", .ns = 2 * kSecond, .times = 4}}};
  EXPECT_EQ(kinds(full(counted(poll, exact))), Kinds{"client"});
}

// No look met it: the place alone says enough.
TEST(Causes, APlaceThatNoLookMetIsACause) {
  const facts::ExactTime exact{.counted_ns = 2 * kSecond,
                               .blocked = {{.state = "D",
                                            .stack = {"rpc_wait_bit_killable", "nfs4_file_open"},
                                            .ns = 2 * kSecond,
                                            .times = 40}}};
  const Report report = report_of(full(counted(running(), exact)));
  ASSERT_NE(find(report, "AQ310"), nullptr);
  EXPECT_EQ(find(report, "AQ310")->cause->kind, CauseKind::kIoNfs);
  EXPECT_EQ(find(report, "AQ310")->cause->detail.at("function"), "rpc_wait_bit_killable");
}

}  // namespace
}  // namespace acceptq::diagnose
