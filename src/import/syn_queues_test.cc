// Requests of SYN queues among the sockets that ss -a and netstat -a list.
#include "import/import_test_support.h"

namespace acceptq::imports {
namespace {

constexpr const char* kHead = "State Recv-Q Send-Q Local Address:Port Peer Address:Port\n";

std::optional<std::uint32_t> length_at(const std::string& text, std::string_view endpoint) {
  const Observation observation = import_one(text);
  EXPECT_TRUE(reasons(observation, "AQ621").empty()) << text;
  const Listener* listener = at(observation, endpoint);
  EXPECT_NE(listener, nullptr) << text;
  return listener != nullptr ? listener->syn_queue_len : std::nullopt;
}

const std::string kSockets = std::string(kHead) +
                             "LISTEN   0 128 0.0.0.0:80 0.0.0.0:*\n"
                             "LISTEN   0 128 127.0.0.1:80 0.0.0.0:*\n"
                             "LISTEN   0 128 [::]:443 [::]:*\n"
                             "SYN-RECV 0 0 10.0.0.5:80 10.0.0.9:4001\n"
                             "SYN-RECV 0 0 10.0.0.5:80 10.0.0.9:4002\n"
                             "SYN-RECV 0 0 127.0.0.1:80 127.0.0.1:4003\n"
                             "SYN-RECV 0 0 [::ffff:10.0.0.5]:443 [::ffff:10.0.0.9]:4004\n"
                             "ESTAB    0 0 10.0.0.5:80 10.0.0.9:4005\n"
                             "TIME-WAIT 0 0 10.0.0.5:80 10.0.0.9:4006\n";

TEST(SynQueues, AreCountedByTheListenerThatTheKernelTakes) {
  for (const std::string& text :
       {kSockets, "$ ss -ant\n" + kSockets, "$ ss -t -a -n\n" + kSockets}) {
    EXPECT_EQ(length_at(text, "0.0.0.0:80"), 2U) << text;
    EXPECT_EQ(length_at(text, "127.0.0.1:80"), 1U) << text;
    EXPECT_EQ(length_at(text, "[::]:443"), 1U) << text;
  }
}

TEST(SynQueues, OfNetstatInEveryLanguage) {
  for (const char* state : {"SYN_RECV", "SYN_RECEBIDO"}) {
    EXPECT_EQ(length_at("$ netstat -ant\n"
                        "Proto Recv-Q Send-Q Local Address Foreign Address State\n"
                        "tcp 0 0 0.0.0.0:80 0.0.0.0:* LISTEN\n"
                        "tcp 0 0 10.0.0.5:80 10.0.0.9:4001 " +
                            std::string(state) + "\n",
                        "0.0.0.0:80"),
              1U);
  }
}

TEST(SynQueues, OfProcNetTcp) {
  const std::string file =
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
      "inode\n"
      "   0: 00000000:0050 00000000:0000 0A 00000000:00000081 00:00000000 00000000     0        0 "
      "17 "
      "1 0000000000000000 100 0 0 10 0\n"
      "   1: 0500000A:0050 0900000A:0FA1 03 00000000:00000000 01:00000063 00000000     0        0 "
      "0 "
      "0 0000000000000000\n"
      "   2: 0500000A:0050 0900000A:0FA2 01 00000000:00000000 00:00000000 00000000     0        0 "
      "18 "
      "1 0000000000000000 20 4 30 10 -1\n";
  EXPECT_EQ(length_at("$ cat /proc/net/tcp\n" + file, "0.0.0.0:80"), 1U);
  EXPECT_EQ(length_at(file, "0.0.0.0:80"), 1U);
  EXPECT_EQ(length_at("$ cat /proc/net/tcp | head -3\n" + file, "0.0.0.0:80"), std::nullopt);
  // Of a listener of IPv6 those of IPv4 are elsewhere.
  const std::string six =
      "  sl  local_address                         remote_address                        st "
      "tx_queue "
      "rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
      "   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A "
      "00000000:00000000 00:00000000 00000000     0        0 17 1 0000000000000000 100 0 0 10 0\n";
  EXPECT_EQ(length_at("$ cat /proc/net/tcp6\n" + six, "[::]:80"), std::nullopt);
}

TEST(SynQueues, AreNotKnownWhereOnlySomeStatesAreListed) {
  const std::string listeners = std::string(kHead) + "LISTEN 0 128 0.0.0.0:80 0.0.0.0:*\n";
  EXPECT_EQ(length_at(listeners, "0.0.0.0:80"), std::nullopt);
  EXPECT_EQ(length_at("$ ss -lnt\n" + listeners, "0.0.0.0:80"), std::nullopt);
  EXPECT_EQ(length_at("$ ss -ant\n" + listeners, "0.0.0.0:80"), 0U);
  EXPECT_EQ(length_at("$ ss -ant | grep -E 'LISTEN|ESTAB'\n" + listeners, "0.0.0.0:80"),
            std::nullopt);
}

TEST(SynQueues, OfAGroupAreNotTold) {
  EXPECT_EQ(length_at("$ ss -ant\n" + std::string(kHead) +
                          "LISTEN 0 128 0.0.0.0:80 0.0.0.0:*\nLISTEN 0 128 0.0.0.0:80 0.0.0.0:*\n"
                          "SYN-RECV 0 0 10.0.0.5:80 10.0.0.9:4001\n",
                      "0.0.0.0:80"),
            std::nullopt);
}

}  // namespace
}  // namespace acceptq::imports
