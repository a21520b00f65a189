// The rules of docs/kernel-listen-path.md, as tables.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "listenpath/fate.h"
#include "listenpath/kernel.h"
#include "listenpath/limits.h"

namespace acceptq::listenpath {
namespace {

TEST(ParseRelease, TakesEveryVendorsForm) {
  EXPECT_EQ(parse_release("6.18.44-fc-v669"),
            (KernelVersion{.major = 6, .minor = 18, .patch = 44}));
  EXPECT_EQ(parse_release("6.1.0-56-amd64"),
            (KernelVersion{.major = 6, .minor = 1, .debian_abi = 56}));
  EXPECT_EQ(parse_release("5.15.0-91-generic"), (KernelVersion{.major = 5, .minor = 15}));
  EXPECT_EQ(parse_release("3.10.0-1160.el7.x86_64"),
            (KernelVersion{.major = 3, .minor = 10, .patch = 0, .rhel = 7}));
  EXPECT_EQ(parse_release("6.12.38+deb13-amd64"),
            (KernelVersion{.major = 6, .minor = 12, .patch = 38}));
  EXPECT_EQ(parse_release("7.2"), (KernelVersion{.major = 7, .minor = 2}));
  for (const char* bad : {"", "linux", "6", "6.", ".1", "99999999999.1"}) {
    EXPECT_EQ(parse_release(bad), std::nullopt) << bad;
  }
}

TEST(RulesFor, ChangesAtTheBoundaries) {
  struct Row {
    const char* release;
    SynQueueRule syn_queue;
    bool young;
    bool cookies_are_drops;
    std::uint32_t somaxconn;
  };
  const Row rows[] = {
      {"3.10.0-1160.el7.x86_64", SynQueueRule::kTable, true, true, 128},
      {"4.3.6", SynQueueRule::kTable, true, true, 128},
      {"4.4.121", SynQueueRule::kAtLimit, true, true, 128},
      {"4.6.0", SynQueueRule::kAtLimit, true, true, 128},
      {"4.9.45", SynQueueRule::kAtLimit, true, false, 128},
      {"4.10.1", SynQueueRule::kAtLimit, false, false, 128},
      {"4.18.0-240.el8.x86_64", SynQueueRule::kAtLimit, false, false, 128},
      {"5.3.18", SynQueueRule::kAtLimit, false, false, 128},
      {"5.4.18", SynQueueRule::kAtLimit, false, false, 4096},
      {"5.4.290", SynQueueRule::kAboveLimit, false, false, 4096},
      {"5.15.135", SynQueueRule::kAtLimit, false, false, 4096},
      {"5.15.177", SynQueueRule::kAboveLimit, false, false, 4096},
      {"5.15.0-91-generic", SynQueueRule::kAtOrAboveLimit, false, false, 4096},
      {"6.1.0-9-amd64", SynQueueRule::kAtOrAboveLimit, false, false, 4096},
      {"6.1.0-56-amd64", SynQueueRule::kAboveLimit, false, false, 4096},
      {"6.1.192", SynQueueRule::kAboveLimit, false, false, 4096},
      {"6.8.12", SynQueueRule::kAtLimit, false, false, 4096},
      {"6.13.7", SynQueueRule::kAboveLimit, false, false, 4096},
      {"6.18.44-fc-v669", SynQueueRule::kAboveLimit, false, false, 4096},
      {"7.3.4", SynQueueRule::kAboveLimit, false, false, 4096},
  };
  for (const Row& row : rows) {
    const KernelRules rules = rules_for(row.release);
    EXPECT_TRUE(rules.known) << row.release;
    EXPECT_EQ(rules.syn_queue, row.syn_queue) << row.release;
    EXPECT_EQ(rules.full_needs_young, row.young) << row.release;
    EXPECT_EQ(rules.cookies_count_as_drops, row.cookies_are_drops) << row.release;
    EXPECT_EQ(rules.default_somaxconn, row.somaxconn) << row.release;
  }
  EXPECT_FALSE(rules_for("who knows").known);
}

TEST(GrantedLimit, ComparesAsUnsigned) {
  EXPECT_EQ(granted_limit(511, 128), QueueLimit(128));
  EXPECT_EQ(granted_limit(511, 8096), QueueLimit(511));
  EXPECT_EQ(granted_limit(-1, 4096), QueueLimit(4096));
  EXPECT_EQ(granted_limit(0, 4096), QueueLimit(0));
}

TEST(AcceptQueueFull, HoldsOneMoreThanTheLimit) {
  EXPECT_FALSE(accept_queue_full(QueueLength(128), QueueLimit(128)));
  EXPECT_TRUE(accept_queue_full(QueueLength(129), QueueLimit(128)));
  EXPECT_FALSE(accept_queue_full(QueueLength(0), QueueLimit(0)));
}

KernelRules rules_with(SynQueueRule rule) {
  KernelRules rules;
  rules.syn_queue = rule;
  return rules;
}

TEST(SynQueueCapacity, FollowsTheFamily) {
  const auto capacity = [](SynQueueRule rule, std::uint32_t limit) {
    return syn_queue_capacity(
        rules_with(rule),
        {.accept_limit = QueueLimit(limit), .max_syn_backlog = 1024, .syncookies = 1});
  };
  // reqsk_queue_alloc: 5 → 16, 127 → 128, 128 → 256, 511 → 512, 512 → 1024.
  EXPECT_EQ(capacity(SynQueueRule::kTable, 5), 16U);
  EXPECT_EQ(capacity(SynQueueRule::kTable, 127), 128U);
  EXPECT_EQ(capacity(SynQueueRule::kTable, 128), 256U);
  EXPECT_EQ(capacity(SynQueueRule::kTable, 511), 512U);
  EXPECT_EQ(capacity(SynQueueRule::kTable, 512), 1024U);
  EXPECT_EQ(capacity(SynQueueRule::kAtLimit, 128), 128U);
  EXPECT_EQ(capacity(SynQueueRule::kAboveLimit, 5), 6U);
  EXPECT_EQ(capacity(SynQueueRule::kAtOrAboveLimit, 128), std::nullopt);
}

TEST(SynQueueCapacity, StopsAtTheReserveWithCookiesOff) {
  // Measured with tcp_max_syn_backlog 8, 10, 16, 20, 33, 64.
  const std::map<std::uint32_t, std::uint64_t> measured = {{8, 7},   {10, 9},  {16, 13},
                                                           {20, 16}, {33, 26}, {64, 49}};
  for (const auto& [most, top] : measured) {
    const SynQueueSettings settings{
        .accept_limit = QueueLimit(4096), .max_syn_backlog = most, .syncookies = 0};
    EXPECT_EQ(syn_queue_capacity(rules_with(SynQueueRule::kAboveLimit), settings), top) << most;
    EXPECT_FALSE(in_last_quarter(most, static_cast<std::uint32_t>(top) - 1)) << most;
    EXPECT_TRUE(in_last_quarter(most, static_cast<std::uint32_t>(top))) << most;
  }
}

ListenerState state_of(std::uint32_t accept, std::uint32_t syn, std::uint32_t cookies = 1) {
  return {
      .accept_length = QueueLength(accept),
      .syn_length = syn,
      .syn_young = syn,
      .settings = {.accept_limit = QueueLimit(5), .max_syn_backlog = 1024, .syncookies = cookies}};
}

TEST(FateOfSyn, LooksAtTheSynQueueFirst) {
  const KernelRules rules = rules_for("6.18.2");
  EXPECT_EQ(fate_of_syn(rules, state_of(0, 0), {}), SynFate::kQueued);
  EXPECT_EQ(fate_of_syn(rules, state_of(0, 6), {}), SynFate::kCookie);
  EXPECT_EQ(fate_of_syn(rules, state_of(6, 0), {}), SynFate::kRefusedAcceptFull);
  EXPECT_EQ(fate_of_syn(rules, state_of(6, 6), {}), SynFate::kRefusedBothFull);
  EXPECT_EQ(fate_of_syn(rules, state_of(0, 6, 0), {}), SynFate::kRefusedSynFull);
  EXPECT_EQ(fate_of_syn(rules, state_of(6, 6, 0), {}), SynFate::kRefusedSynFull);
  EXPECT_EQ(fate_of_syn(rules, state_of(0, 0, 2), {}), SynFate::kCookie);
  EXPECT_EQ(fate_of_syn(rules, state_of(6, 6), {.request_exists = true}), SynFate::kDuplicate);
  EXPECT_EQ(fate_of_syn(rules, state_of(0, 6, 0), {.reuses_time_wait = true}), SynFate::kQueued);
  ListenerState reserve = state_of(0, 4, 0);
  reserve.settings.max_syn_backlog = 4;
  EXPECT_EQ(fate_of_syn(rules, reserve, {}), SynFate::kRefusedReserve);
  EXPECT_EQ(fate_of_syn(rules, reserve, {.proven = true}), SynFate::kQueued);
}

TEST(FateOfSyn, AdmitsOneYoungRequestBefore4_10) {
  const KernelRules rules = rules_for("4.9.45");
  ListenerState full = state_of(6, 1);
  EXPECT_EQ(fate_of_syn(rules, full, {}), SynFate::kQueued);
  full.syn_young = 2;
  EXPECT_EQ(fate_of_syn(rules, full, {}), SynFate::kRefusedAcceptFull);
}

TEST(FateOfAck, TellsTheClientOnlyIfAsked) {
  EXPECT_EQ(fate_of_ack(state_of(5, 1), {}), AckFate::kAccepted);
  EXPECT_EQ(fate_of_ack(state_of(6, 1), {}), AckFate::kRefusedKept);
  ListenerState abort = state_of(6, 1);
  abort.abort_on_overflow = true;
  EXPECT_EQ(fate_of_ack(abort, {}), AckFate::kRefusedReset);
  EXPECT_EQ(fate_of_ack(state_of(0, 1), {.deferred = true}), AckFate::kDeferred);
  const AckContext cookie{.request_exists = false, .cookie_expected = true, .cookie_valid = true};
  EXPECT_EQ(fate_of_ack(state_of(0, 0), cookie), AckFate::kAcceptedCookie);
  // tcp_abort_on_overflow has no effect on a cookie.
  EXPECT_EQ(fate_of_ack(abort, cookie), AckFate::kRefusedCookie);
  EXPECT_EQ(fate_of_ack(state_of(0, 0), {.request_exists = false, .cookie_expected = true}),
            AckFate::kBadCookie);
  EXPECT_EQ(fate_of_ack(state_of(0, 0), {.request_exists = false}), AckFate::kStray);
  EXPECT_EQ(fate_of_ack(state_of(0, 0, 0), cookie), AckFate::kStray);
}

int moved(std::span<const Move> moves, std::string_view counter) {
  for (const Move& move : moves) {
    if (move.counter == counter) return move.by;
  }
  return 0;
}

TEST(Counted, DropsOfTheSocketOverCount) {
  EXPECT_EQ(moved(counted(SynFate::kRefusedAcceptFull), "sk_drops"), 1);
  EXPECT_EQ(moved(counted(AckFate::kRefusedKept), "sk_drops"), 2);
  EXPECT_EQ(moved(counted(AckFate::kRefusedKept), "TcpExtListenDrops"), 1);
  EXPECT_EQ(moved(counted(SynFate::kDuplicate), "sk_drops"), 1);
  EXPECT_EQ(moved(counted(SynFate::kDuplicate), "TcpExtListenDrops"), 0);
  EXPECT_EQ(moved(counted(SynFate::kRefusedSynFull), "TcpExtListenOverflows"), 0);
}

// 20 SYNs at once to a listener with backlog 5, round-trip time above 0, cookies on: 6 requests and
// 14 cookies, 6 connections, 14 overflows. Measured on 6.18.
TEST(Burst, EndsAsMeasured) {
  const KernelRules rules = rules_for("6.18.2");
  ListenerState state = state_of(0, 0);
  int requests = 0;
  int cookies = 0;
  for (int i = 0; i < 20; ++i) {
    const SynFate fate = fate_of_syn(rules, state, {});
    if (fate == SynFate::kQueued) {
      ++requests;
      ++state.syn_length;
    }
    if (fate == SynFate::kCookie) ++cookies;
  }
  EXPECT_EQ(requests, 6);
  EXPECT_EQ(cookies, 14);
  int accepted = 0;
  int overflows = 0;
  for (int i = 0; i < 20; ++i) {
    const AckContext ack{
        .request_exists = i < requests, .cookie_expected = true, .cookie_valid = true};
    const AckFate fate = fate_of_ack(state, ack);
    overflows += moved(counted(fate), "TcpExtListenOverflows");
    if (fate == AckFate::kAccepted || fate == AckFate::kAcceptedCookie) {
      ++accepted;
      state.accept_length = QueueLength(state.accept_length.value() + 1);
    }
  }
  EXPECT_EQ(accepted, 6);
  EXPECT_EQ(overflows, 14);
}

}  // namespace
}  // namespace acceptq::listenpath
