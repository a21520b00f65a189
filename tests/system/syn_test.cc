// SYN queues of the running kernel under a flood of forged SYNs, and what acceptq says of it.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>

#include "support/child.h"
#include "support/netns.h"
#include "support/require.h"
#include "support/traffic.h"

namespace acceptq::test {
namespace {

using nlohmann::json;

constexpr const char* kProgram = ACCEPTQ_BINARY_DIR "/acceptq";
constexpr std::uint16_t kPort = 8080;
constexpr std::uint32_t kServer = 0x0a080001;  // 10.8.0.1
constexpr std::uint32_t kForged = 0x0a090000;  // 10.9.0.0/16: routed to where nobody answers
constexpr int kSynsPerSecond = 2000;

std::uint16_t checksum(const std::uint8_t* bytes, std::size_t size, std::uint32_t sum) {
  for (std::size_t i = 0; i + 1 < size; i += 2) {
    sum += static_cast<std::uint32_t>(bytes[i] << 8 | bytes[i + 1]);
  }
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return htons(static_cast<std::uint16_t>(~sum));
}

struct Syn {
  iphdr ip;
  tcphdr tcp;
};

Syn forged_syn(std::mt19937& random) {
  Syn syn{};
  syn.ip.version = 4;
  syn.ip.ihl = sizeof(iphdr) / 4;
  syn.ip.ttl = 64;
  syn.ip.protocol = IPPROTO_TCP;
  const std::uint32_t source = kForged | (random() & 0xffff);
  syn.ip.saddr = htonl(source);
  syn.ip.daddr = htonl(kServer);
  syn.tcp.source = htons(static_cast<std::uint16_t>(1024 + random() % 60000));
  syn.tcp.dest = htons(kPort);
  syn.tcp.seq = static_cast<std::uint32_t>(random());
  syn.tcp.doff = sizeof(tcphdr) / 4;
  syn.tcp.syn = 1;
  syn.tcp.window = htons(64240);
  const std::uint32_t pseudo = (source >> 16) + (source & 0xffff) + (kServer >> 16) +
                               (kServer & 0xffff) + IPPROTO_TCP + sizeof(tcphdr);
  syn.tcp.check = checksum(reinterpret_cast<const std::uint8_t*>(&syn.tcp), sizeof syn.tcp, pseudo);
  return syn;
}

// From addresses that never answer, without end.
void send_forged_syns() {
  const UniqueFd raw(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  require(raw.valid(), "a raw socket");
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(kServer);
  std::mt19937 random(1);
  while (true) {
    for (int i = 0; i < kSynsPerSecond / 50; ++i) {
      const Syn syn = forged_syn(random);
      static_cast<void>(::sendto(raw.get(), &syn, sizeof syn, 0,
                                 reinterpret_cast<const sockaddr*>(&to), sizeof to));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

class SynTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!may_unshare()) GTEST_SKIP() << "needs root, to make network namespaces";
  }

  struct Setting {
    const char* syncookies;
    const char* max_syn_backlog;
    int backlog;
  };

  // What acceptq says of a listener under the flood; a server that accepts all would not help it.
  static json flooded(const Setting& setting) {
    const TestNetns ns;
    const auto ip = [&](std::vector<std::string> words) {
      words.insert(words.begin(), "ip");
      const Output output = run_program(words, ns.fd());
      EXPECT_EQ(output.exit_code, 0) << output.err;
    };
    ip({"link", "add", "near", "type", "veth", "peer", "name", "far"});
    ip({"link", "set", "far", "up"});
    ip({"address", "add", "10.8.0.1/24", "dev", "near"});
    // Nobody is asked for the forged addresses: a full neighbour table would hold up the flood.
    ip({"link", "set", "near", "arp", "off", "up"});
    ip({"route", "add", "10.9.0.0/16", "dev", "near"});
    // The forged ones arrive over the loopback, where the way back does not lead.
    for (const char* device : {"all", "lo"}) {
      ns.set("net/ipv4/conf/" + std::string(device) + "/rp_filter", "0");
    }
    ns.set("net/ipv4/tcp_syncookies", setting.syncookies);
    ns.set("net/ipv4/tcp_max_syn_backlog", setting.max_syn_backlog);
    UniqueFd listener;
    ns.run([&] { listener = listen_tcp("10.8.0.1", kPort, setting.backlog); });
    const Forked flood([&] { ns.run(send_forged_syns); });
    const Output output = run_program({kProgram, "check", "--json", "--for", "2s", ns.selector()});
    EXPECT_EQ(output.exit_code, 1) << output.err;
    const Output text = run_program({kProgram, "check", "--for", "100ms", ns.selector()});
    EXPECT_LT(text.exit_code, 4) << text.out << text.err;
    json report = json::parse(output.out, nullptr, false);
    EXPECT_FALSE(report.is_discarded()) << output.out << output.err;
    return report;
  }

  static const json* finding(const json& report, const std::string& id) {
    for (const json& each : report.at("findings")) {
      if (each.at("id") == id) return &each;
    }
    return nullptr;
  }

  // Kernels without iterators do not: few repeated SYN-ACKs are then too little to speak of a
  // flood, and nothing tells of handshakes that were deferred earlier.
  static bool shows_syn_queues(const json& report) {
    return report.at("host").at("scan") == "iterator";
  }

  static std::string first_form(const json* finding) {
    if (finding == nullptr || finding->at("remedies").empty()) return "";
    return finding->at("remedies").front().at("form");
  }
};

TEST_F(SynTest, FullSynQueueWithoutCookies) {
  const json report = flooded({.syncookies = "0", .max_syn_backlog = "256", .backlog = 16});
  EXPECT_EQ(first_form(finding(report, "AQ201")), "netns.sysctl") << report.at("findings").dump(1);
  EXPECT_TRUE(finding(report, "AQ203") != nullptr || !shows_syn_queues(report));
  // The accept queue is empty: nothing is to be said of its limit.
  for (const char* id : {"AQ101", "AQ104", "AQ105", "AQ108"}) {
    EXPECT_EQ(finding(report, id), nullptr) << id;
  }
}

TEST_F(SynTest, ReserveOfTheSynQueueWithoutCookies) {
  const json report = flooded({.syncookies = "0", .max_syn_backlog = "64", .backlog = 64});
  EXPECT_EQ(first_form(finding(report, "AQ205")), "netns.sysctl") << report.at("findings").dump(1);
  EXPECT_TRUE(finding(report, "AQ203") != nullptr || !shows_syn_queues(report));
  EXPECT_EQ(finding(report, "AQ105"), nullptr);
}

// Real clients that connect and say nothing: a flood it is not, though the SYN queue is full.
TEST_F(SynTest, DeferredHandshakesAreNoFlood) {
  const TestNetns ns;
  ns.set("net/ipv4/tcp_syncookies", "0");
  ns.set("net/ipv4/tcp_max_syn_backlog", "64");
  UniqueFd listener;
  ns.run([&] { listener = listen_tcp("127.0.0.1", kPort, 16); });
  constexpr int kSeconds = 60;
  ASSERT_EQ(::setsockopt(listener.get(), IPPROTO_TCP, TCP_DEFER_ACCEPT, &kSeconds, sizeof kSeconds),
            0);
  const SteadyClients silent(ns.fd(), "127.0.0.1", kPort);
  const Output output = run_program({kProgram, "check", "--json", "--for", "3s", ns.selector()});
  EXPECT_EQ(output.exit_code, 1) << output.err;
  const json report = json::parse(output.out, nullptr, false);
  ASSERT_FALSE(report.is_discarded()) << output.out << output.err;
  EXPECT_TRUE(finding(report, "AQ206") != nullptr || !shows_syn_queues(report))
      << report.at("findings").dump(1);
  EXPECT_EQ(finding(report, "AQ203"), nullptr) << report.at("findings").dump(1);
}

TEST_F(SynTest, FloodWithCookies) {
  const json report = flooded({.syncookies = "1", .max_syn_backlog = "256", .backlog = 16});
  EXPECT_EQ(first_form(finding(report, "AQ203")), "cause") << report.at("findings").dump(1);
  EXPECT_EQ(finding(report, "AQ201"), nullptr);
  EXPECT_EQ(finding(report, "AQ205"), nullptr);
  EXPECT_EQ(finding(report, "AQ105"), nullptr);
}

}  // namespace
}  // namespace acceptq::test
