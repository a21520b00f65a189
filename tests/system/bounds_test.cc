// What is bounded: the room for listeners in the kernel, and the time that packets may take.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "collect/observe.h"
#include "support/child.h"
#include "support/netns.h"
#include "support/require.h"
#include "support/traffic.h"

namespace acceptq::test {
namespace {

using nlohmann::json;

constexpr const char* kProgram = ACCEPTQ_BINARY_DIR "/acceptq";
constexpr std::uint16_t kPort = 8080;

using collect::bpf::TraceLevel;
class RoomTest : public testing::TestWithParam<TraceLevel> {};

// More listeners than there is room for: the rest is counted and said.
TEST_P(RoomTest, ListenersThatDoNotFitAreSaid) {
  if (!may_unshare()) GTEST_SKIP() << "needs root, to make a network namespace";
  constexpr std::uint32_t kRoom = 2;
  constexpr std::uint16_t kListeners = 8;
  const TestNetns ns;
  std::vector<UniqueFd> listeners;
  ns.run([&] {
    for (std::uint16_t i = 0; i < kListeners; ++i) {
      listeners.push_back(listen_tcp("127.0.0.1", kPort + i, 1000));
    }
  });
  collect::ObserveOptions options;
  options.seconds = 2;
  options.trace.level = GetParam();
  options.trace.most_listeners = kRoom;
  // Not while hooks come and go: kernels that QEMU 7.2 emulates on several CPUs may crash then.
  options.progress = [&ns](double) {
    ns.run([] {
      for (std::uint16_t i = 0; i < kListeners; ++i) {
        const std::vector<UniqueFd> client = connect_many("127.0.0.1", kPort + i, 1);
      }
    });
    return true;
  };
  const Result<facts::Observation> observation = collect::observe(options);
  ASSERT_TRUE(observation.has_value()) << observation.error().message();
  if (!observation->tracing) GTEST_SKIP() << "this kernel may not be traced so";
  EXPECT_LE(std::ranges::count(observation->ledgers, ns.id(), &facts::Ledger::netns), kRoom);
  EXPECT_TRUE(std::ranges::any_of(observation->after.blind_spots, [](const facts::BlindSpot& spot) {
    return spot.id == "AQ611" && std::stoull(spot.reason) >= kListeners - kRoom &&
           spot.reason.ends_with("packets came to listeners for which tracing had no room");
  })) << "nothing says so";
}

std::string name_of(const testing::TestParamInfo<TraceLevel>& test) {
  if (test.param == TraceLevel::kFunctions) return "functions";
  return test.param == TraceLevel::kKprobes ? "kprobes" : "tracepoints";
}

INSTANTIATE_TEST_SUITE_P(, RoomTest,
                         testing::Values(TraceLevel::kFunctions, TraceLevel::kKprobes,
                                         TraceLevel::kTracepoints),
                         name_of);

struct Packet {
  iphdr ip;
  tcphdr tcp;
};

// SYNs with a wrong checksum, as many as one process can send: they pass the interface, and TCP
// does nothing about them.
void keep_wire_busy() {
  const UniqueFd raw(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  require(raw.valid(), "a raw socket");
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  constexpr std::size_t kAtOnce = 256;
  std::array<Packet, kAtOnce> packets{};
  std::array<iovec, kAtOnce> parts{};
  std::array<mmsghdr, kAtOnce> messages{};
  std::mt19937 random(static_cast<std::uint32_t>(::getpid()));
  for (std::size_t i = 0; i < kAtOnce; ++i) {
    Packet& packet = packets[i];
    packet.ip.version = 4;
    packet.ip.ihl = sizeof(iphdr) / 4;
    packet.ip.ttl = 64;
    packet.ip.protocol = IPPROTO_TCP;
    packet.ip.saddr = htonl(INADDR_LOOPBACK);
    packet.ip.daddr = htonl(INADDR_LOOPBACK);
    packet.tcp.source = htons(static_cast<std::uint16_t>(1024 + random() % 60000));
    packet.tcp.dest = htons(kPort);
    packet.tcp.doff = sizeof(tcphdr) / 4;
    packet.tcp.syn = 1;
    packet.tcp.check = 1;
    parts[i] = {.iov_base = &packet, .iov_len = sizeof packet};
    messages[i].msg_hdr.msg_name = &to;
    messages[i].msg_hdr.msg_namelen = sizeof to;
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  while (true) static_cast<void>(::sendmmsg(raw.get(), messages.data(), kAtOnce, 0));
}

// A port where the next packet is there before the last one is read.
TEST(PacketsTest, EndInTimeOnABusyPort) {
  if (!may_unshare()) GTEST_SKIP() << "needs root, to make a network namespace";
  const TestNetns ns;
  UniqueFd listener;
  ns.run([&] { listener = listen_tcp("127.0.0.1", kPort, 128); });
  const auto busy_there = [&] { ns.run(keep_wire_busy); };
  const Forked busy[] = {Forked(busy_there), Forked(busy_there), Forked(busy_there),
                         Forked(busy_there)};
  // It ends by itself, long before that.
  const Output output = run_program({"timeout", "-s", "KILL", "120", kProgram, "check", "--json",
                                     "--packets", "--for", "2s", ns.selector()});
  const json report = json::parse(output.out, nullptr, false);
  ASSERT_FALSE(report.is_discarded()) << output.exit_code << output.err;
  EXPECT_EQ(report.at("host").at("tracing"), "packets");
}

// A group that shares a port: no packet says which of them it went to, and that is said.
TEST(PacketsTest, SayThatAGroupIsNotFollowed) {
  if (!may_unshare()) GTEST_SKIP() << "needs root, to make a network namespace";
  const TestNetns ns;
  std::vector<UniqueFd> group;
  ns.run([&] {
    for (int i = 0; i < 2; ++i) {
      UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      constexpr int kOn = 1;
      require(::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &kOn, sizeof kOn) == 0, "REUSEPORT");
      sockaddr_in any{};
      any.sin_family = AF_INET;
      any.sin_port = htons(kPort);
      require(::bind(fd.get(), reinterpret_cast<sockaddr*>(&any), sizeof any) == 0, "bind");
      require(::listen(fd.get(), 5) == 0, "listen");
      group.push_back(std::move(fd));
    }
  });
  const Output output =
      run_program({kProgram, "check", "--json", "--packets", "--for", "500ms", ns.selector()});
  const json report = json::parse(output.out, nullptr, false);
  ASSERT_FALSE(report.is_discarded()) << output.out << output.err;
  EXPECT_TRUE(std::ranges::any_of(report.at("blind_spots"), [](const json& spot) {
    return spot.at("id") == "AQ611" &&
           std::string(spot.at("reason")).starts_with("SO_REUSEPORT: packets do not tell");
  })) << report.at("blind_spots");
}

}  // namespace
}  // namespace acceptq::test
