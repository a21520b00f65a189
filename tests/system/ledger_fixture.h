// A listener in a namespace of its own, clients behind a TUN device, and a tracer: what tests of
// ledgers have in common.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <chrono>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "base/clock.h"
#include "collect/bpf/handshake_tracer.h"
#include "collect/procfs/counters.h"
#include "listenpath/ledger_counters.h"
#include "support/kernel_counters.h"
#include "support/netns.h"
#include "support/traffic.h"
#include "support/tun_clients.h"

namespace acceptq::test {

using collect::bpf::HandshakeTracer;
using enum facts::LedgerTerm;
using facts::Ledger;
using facts::LedgerTerm;
using Terms = std::map<LedgerTerm, std::uint64_t>;

inline constexpr std::uint16_t kPort = 8080;
inline constexpr int kBacklog = 5;
inline constexpr int kCapacity = kBacklog + 1;

enum class How { kFentry, kKprobe, kTracepoint };

[[nodiscard]] std::string name_of(const std::tuple<How, IpVersion>& parameters);

// The running kernel's, as uname -r prints it.
[[nodiscard]] std::string release();

// Loading takes seconds in an emulated guest, a ledger belongs to its namespace, and tracers do not
// see each other: one for each way of hooking serves all tests of a program.
[[nodiscard]] Result<HandshakeTracer>& tracer_by(How how);
void forget_tracer(How how);
void forget_other_tracers(How how);

class LedgerFixture : public ::testing::TestWithParam<std::tuple<How, IpVersion>> {
 protected:
  void SetUp() override {
    if (!may_unshare()) GTEST_SKIP() << "needs root, to make a network namespace";
    if (!has_tun()) GTEST_SKIP() << "needs /dev/net/tun";
    Result<HandshakeTracer>& tracer = tracer_by(std::get<0>(GetParam()));
    if (!tracer && (tracer.error().code == ErrorCode::kPermission ||
                    tracer.error().code == ErrorCode::kUnsupported)) {
      GTEST_SKIP() << tracer.error().message();
    }
    ASSERT_TRUE(tracer.has_value()) << tracer.error().message();
    tracer_ = &*tracer;
    tracer_->start();
    begun_ns_ = monotonic_ns();
    version_ = std::get<1>(GetParam());
  }

  // Kretprobes do not tell which listener accept() failed on.
  static bool by_kprobes() { return std::get<0>(GetParam()) == How::kKprobe; }

  static bool by_tracepoints() { return std::get<0>(GetParam()) == How::kTracepoint; }

  // Of a few packets, one is more than a hundredth.
  static double missed(double packets) { return by_kprobes() ? 2 + packets / 100 : 0; }

  UniqueFd listen(int backlog = kBacklog) {
    UniqueFd fd;
    ns_.run(
        [&] { fd = listen_tcp(version_ == IpVersion::kV4 ? "0.0.0.0" : "::", kPort, backlog); });
    ::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
    return fd;
  }
  static int accept_all(const UniqueFd& listener) {
    int taken = 0;
    while (true) {
      const UniqueFd connection(::accept(listener.get(), nullptr, nullptr));
      if (!connection.valid()) return taken;
      ++taken;
    }
  }
  // As many as fit, one after the other.
  std::vector<TunClient*> fill(TunClients& clients) {
    std::vector<TunClient*> made;
    for (int i = 0; i < kCapacity; ++i) {
      made.push_back(&clients.connect());
      clients.receive(std::chrono::milliseconds(20));
      EXPECT_EQ(made.back()->synacks, 1);
      clients.send_ack(*made.back());
    }
    return made;
  }
  // The newest that fits. The kernel gives the inode of a namespace that is gone to another: what
  // was there before this test began is not its own.
  Ledger ledger() { return ledger(ns_); }
  Ledger ledger(const TestNetns& ns, SocketCookie cookie = SocketCookie(0)) {
    auto records = tracer_->ledgers();
    EXPECT_TRUE(records.has_value());
    const Ledger* newest = nullptr;
    for (const auto& record : *records) {
      const Ledger& ledger = record.ledger;
      if (ledger.netns != ns.id() || ledger.port != kPort || ledger.since_ns < begun_ns_) continue;
      if (cookie.value() != 0 && ledger.cookie != cookie) continue;
      if (newest == nullptr || ledger.since_ns > newest->since_ns) newest = &ledger;
    }
    EXPECT_NE(newest, nullptr) << "no ledger for the listener";
    return newest == nullptr ? Ledger{} : *newest;
  }
  // Every term that is not given must be 0.
  void expect_terms(Terms expected) {
    const Ledger seen = ledger();
    for (std::size_t i = 0; i < facts::kLedgerTerms; ++i) {
      const auto term = static_cast<LedgerTerm>(i);
      // These tell less, and time what they can.
      if (by_tracepoints() && (!seen[term] || term == kAcceptedUntimed)) continue;
      EXPECT_EQ(seen[term], expected[term]) << facts::ledger_term_name(term);
    }
    const auto counters = counters_of(ns_);
    for (const auto& [name, packets] : listenpath::attributed_counters(seen)) {
      const auto counter = counters.find(name);
      ASSERT_NE(counter, counters.end()) << name;
      EXPECT_EQ(packets, counter->second) << name;
    }
  }

  TestNetns ns_;
  HandshakeTracer* tracer_ = nullptr;
  std::int64_t begun_ns_ = 0;
  IpVersion version_ = IpVersion::kV4;
};

}  // namespace acceptq::test
