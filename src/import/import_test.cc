// Pastes in, observation out; and what is concluded from it.
#include "import/import_test_support.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace acceptq::imports {
namespace {

// The rows of ss in the layouts of its versions: each says 129 of 128 at port 80.
TEST(Ss, EveryLayoutSaysTheSame) {
  // NOLINTBEGIN(bugprone-suspicious-missing-comma): texts of several lines
  const std::string rows[] = {
      kSs,
      "LISTEN 129 128 0.0.0.0:80 0.0.0.0:*\n",
      "Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n"
      "udp   UNCONN 0 0 0.0.0.0:80 0.0.0.0:*\n"
      "tcp   LISTEN 129 128 0.0.0.0:80 0.0.0.0:* users:((\"nginx: worker\",pid=3,fd=6))\n",
      "Recv-Q Send-Q Local Address:Port Peer Address:Port\n129 128 0.0.0.0:80 0.0.0.0:*\n",
      "tcpLISTEN 129 128 0.0.0.0:800.0.0.0:*\n",
      "LISTEN 129 128 *:http *:*  users:((\"nginx\",3985,6))\n\t "
      "skmem:(r0,rb1,t0,tb2,f0,w0,o0,bl0,d7)\n",
      "LISTEN     129    128                *:80   \n                 *:*\n",
      "\xEF\xBB\xBFLISTEN\t129\t128\t*:80\t*:*\r\n",
      "> > LISTEN 129 128 *:80 *:*\n",
      "\x1b[1mLISTEN\x1b[0m 129 128 \x1b[32m*:80\x1b[0m *:*\n",
      "```\nLISTEN 129 128 *:80 *:*\n```\n",
      "LISTEN 129 128\xC2\xA0*:80 *:*"};
  // NOLINTEND(bugprone-suspicious-missing-comma)
  for (const std::string& text : rows) {
    const Observation observation = import_one(text);
    const Listener* listener = at(observation, "0.0.0.0:80");
    ASSERT_NE(listener, nullptr) << text;
    EXPECT_EQ(listener->accept_queue_len, QueueLength(129)) << text;
    EXPECT_EQ(listener->limit, QueueLimit(128)) << text;
    EXPECT_TRUE(reasons(observation, "AQ621").empty()) << text;
  }
}

TEST(Ss, ReadsWhatItShowsOfASocket) {
  const Observation observation = import_one(
      "LISTEN 0 511 [::]:443 [::]:* users:((\"a \\\"b\",pid=3985,fd=6),(\"c,d\",pid=3984,fd=7)) "
      "uid:33 ino:48213 sk:bae1 cgroup:/x v6only:1 <->\n"
      "\t skmem:(r0,rb131072,t0,tb16384,f0,w0,o0,bl0,d93844) cubic cwnd:10\n");
  const Listener* listener = at(observation, "[::]:443");
  ASSERT_NE(listener, nullptr);
  EXPECT_EQ(listener->inode, SocketInode(48213));
  EXPECT_EQ(listener->cookie, SocketCookie(0xbae1));
  EXPECT_EQ(listener->uid, 33U);
  EXPECT_EQ(listener->v6only, true);
  EXPECT_EQ(listener->drops, 93844U);
  ASSERT_EQ(listener->owners.size(), 2U);
  EXPECT_EQ(observation.after.processes.at(0).comm, "c,d");
  EXPECT_EQ(observation.after.processes.at(1).comm, "a \\\"b");
}

TEST(Ss, ReadsUnixListenersAndPathsWithBlanks) {
  const Observation observation = import_one(
      "Netid State  Recv-Q Send-Q Local Address:Port Peer Address:Port\n"
      "u_str LISTEN 12     10     /run/my app.sock 4711 * 0\n"
      "u_str ESTAB  0      0      /run/x 12 * 13\n"
      "u_dgr UNCONN 0      0      /run/y 14 * 0\n");
  ASSERT_EQ(observation.after.listeners.size(), 1U);
  EXPECT_EQ(observation.after.listeners[0].path, "/run/my app.sock");
  EXPECT_EQ(observation.after.listeners[0].inode, SocketInode(4711));
}

// iproute2 of CentOS 7 writes brackets for IPv6, and "*" for IPv4 alone; from 4.17 on it is both.
TEST(Ss, AStarIsWhatItsVersionMeans) {
  const Observation old = import_one("LISTEN 0 128 *:22 *:*\nLISTEN 0 128 [::]:22 [::]:*\n");
  EXPECT_NE(at(old, "0.0.0.0:22"), nullptr);
  EXPECT_NE(at(old, "[::]:22"), nullptr);
  const Observation now = import_one("LISTEN 0 128 0.0.0.0:22 0.0.0.0:*\nLISTEN 0 128 *:80 *:*\n");
  ASSERT_NE(at(now, "[::]:80"), nullptr);
  EXPECT_EQ(at(now, "[::]:80")->v6only, false);
}

TEST(Ss, MembersOfAGroupStayApart) {
  std::string text;
  for (int i = 0; i < 80; ++i) text += "LISTEN 129 128 0.0.0.0:80 0.0.0.0:*\n";
  EXPECT_EQ(import_one(text).after.listeners.size(), 80U);
}

TEST(Ss, LimitsOfZeroThroughoutAreNotKnown) {
  const Observation observation = import_one("LISTEN 129 0 0.0.0.0:80 0.0.0.0:*\n");
  EXPECT_FALSE(observation.after.listeners.at(0).limit);
}

TEST(Ss, ADamagedLineIsNamedAndTheRestIsRead) {
  const Observation observation = import_one(
      "State Recv-Q Send-Q Local Address:Port Peer Address:Port\n"
      "LISTEN 0 *:22 *:*\n"
      "LISTEN 0 128 *:443 *:*\n");
  EXPECT_EQ(observation.after.listeners.size(), 1U);
  ASSERT_EQ(reasons(observation, "AQ621").size(), 1U);
  EXPECT_TRUE(reasons(observation, "AQ621")[0].starts_with("t:2: "))
      << reasons(observation, "AQ621")[0];
}

TEST(NetstatListeners, HasNoLimit) {
  const Observation observation = import_one(
      "Proto Recv-Q Send-Q Local Address  Foreign Address State   PID/Program name\n"
      "tcp     129      0 0.0.0.0:80      0.0.0.0:*       LISTEN  3985/nginx: master\n"
      "tcp6      0      0 :::22           :::*            LISTEN  -\n");
  const Listener* listener = at(observation, "0.0.0.0:80");
  ASSERT_NE(listener, nullptr);
  EXPECT_FALSE(listener->limit);
  EXPECT_EQ(listener->accept_queue_len, QueueLength(129));
  EXPECT_EQ(observation.after.processes.at(0).comm, "nginx");
  EXPECT_NE(at(observation, "[::]:22"), nullptr);
}

TEST(Counters, AreReadInEveryForm) {
  const std::string forms[] = {"TcpExtListenOverflows           12178939           0.0\n",
                               "{\"kernel\":{\"TcpExtListenOverflows\":12178939}}\n",
                               "    12178939 times the listen queue of a socket overflowed\n",
                               "12178939 times the listen queue of a socket overflowed\n",
                               "TcpExt: SyncookiesSent ListenOverflows\nTcpExt: 0 12178939\n"};
  for (const std::string& text : forms) {
    EXPECT_EQ(counter(import_one(text).after, "TcpExtListenOverflows"), 12178939U) << text;
  }
}

TEST(Counters, OfAWholeSectionWhatIsNotThereIsZero) {
  const std::string section =
      "Tcp:\n    3 passive connection openings\nTcpExt:\n    5 delayed acks sent\n"
      "    TCPTimeouts: 4\n";
  EXPECT_EQ(
      counter(import_one(section + "IpExt:\n    InOctets: 9\n").after, "TcpExtListenOverflows"),
      0U);
  // It may go on where the text ends.
  EXPECT_EQ(counter(import_one(section).after, "TcpExtListenOverflows"), std::nullopt);
}

TEST(Counters, TheWordOfOldNetstatIsKnown) {
  EXPECT_EQ(counter(import_one("TcpExt:\n    77 SYNs to LISTEN sockets ignored\n").after,
                    "TcpExtListenDrops"),
            77U);
}

TEST(Samples, TwoInTimeAreCompared) {
  const std::string one = "TcpExtListenOverflows 100 0.0\n";
  const std::string two = "TcpExtListenOverflows 512 0.0\n";
  struct Case {
    std::string text;
    std::optional<double> seconds;
  };
  const Case cases[] = {
      {one + two, std::nullopt},
      {"$ nstat -az; sleep 10; nstat -az\n" + one + two, 10},
      {"$ for i in 1 2; do nstat -az; sleep 5; done\n" + one + two, 5},
      {"$ nstat -az\n" + one + "$ sleep 1m\n$ nstat -az\n" + two, 60},
      {"Thu Nov 26 15:56:56 UTC 2026\n" + one + "Thu Nov 26 15:57:26 UTC 2026\n" + two, 30},
      {"2026-11-26T23:59:50+00:00\n" + one + "2026-11-27T00:00:10+00:00\n" + two, 20},
      {"[15:00:00] me@h:~$ nstat -az\n" + one + "[15:00:07] me@h:~$ nstat -az\n" + two, 7},
      {"Every 2.0s: nstat -az    h: Thu Nov 26 15:56:56 2026\n\n" + one +
           "Every 2.0s: nstat -az    h: Thu Nov 26 15:56:58 2026\n\n" + two,
       2}};
  for (const Case& each : cases) {
    const Observation observation = import_one(each.text);
    ASSERT_EQ(observation.after.namespaces.size(), 1U) << each.text;
    const facts::Namespace& ns = observation.after.namespaces[0];
    EXPECT_TRUE(ns.pasted->compared) << each.text;
    EXPECT_EQ(ns.pasted->seconds, each.seconds) << each.text;
    EXPECT_EQ(counter(observation.before, "TcpExtListenOverflows"), 100U) << each.text;
    EXPECT_EQ(counter(observation.after, "TcpExtListenOverflows"), 512U) << each.text;
  }
}

// Two tools that say the same are one moment; and so is one sample that was pasted twice.
TEST(Samples, OfTwoFormsAreNotCompared) {
  const std::string nstat = "TcpExtListenOverflows 100 0.0\n";
  for (const std::string& text :
       {fmt::format("{}\n    100 times the listen queue of a socket overflowed\n", nstat),
        fmt::format("{0}\n{0}", nstat)}) {
    EXPECT_FALSE(import_one(text).after.namespaces.at(0).pasted->compared) << text;
  }
}

// What may be of two hosts is no growth, unless a time between them is told.
TEST(Samples, WithAHeadingBetweenThemAreNotCompared) {
  const std::string one = "TcpExtListenOverflows 5 0.0\n";
  const std::string two = "TcpExtListenOverflows 9000 0.0\n";
  const auto compared = [](const std::string& text) {
    return import_one(text).after.namespaces.at(0).pasted->compared;
  };
  EXPECT_FALSE(compared("node A:\n" + one + "node B:\n" + two));
  EXPECT_TRUE(compared("Counters:\n" + one + "and a minute later:\n" + two));
  EXPECT_TRUE(compared(one + "\n" + two));
}

// A prompt says whose they are.
TEST(Samples, OfAHostThatIsNamedAreComparedUnderHeadings) {
  const Observation observation = import_one(
      "### 二、计数器\n[root@node-3 ~]# nstat -az\nTcpExtListenOverflows 5 0.0\n"
      "### 三、再看\n[root@node-3 ~]# nstat -az\nTcpExtListenOverflows 9000 0.0\n");
  EXPECT_TRUE(observation.after.namespaces.at(0).pasted->compared);
}

// 129 fit where somaxconn is 128, and in no queue of netstat can wait more.
TEST(NetstatListeners, WhatFillsSomaxconnTellsTheLimit) {
  const auto limit_of = [](int length) {
    const Observation observation =
        import_one(fmt::format("tcp {} 0 0.0.0.0:80 0.0.0.0:* LISTEN\n\n"
                               "net.core.somaxconn = 128\n",
                               length));
    return at(observation, "0.0.0.0:80")->limit;
  };
  EXPECT_EQ(limit_of(129), QueueLimit(128));
  EXPECT_EQ(limit_of(128), std::nullopt);
  EXPECT_EQ(limit_of(130), std::nullopt);
  EXPECT_EQ(limit_of(0), std::nullopt);
}

TEST(Places, TablesUnderHeadingsMayBeOfTwoHosts) {
  const std::string full = "LISTEN 129 128 0.0.0.0:80 0.0.0.0:*\n";
  const std::string idle = "LISTEN 0 128 0.0.0.0:80 0.0.0.0:*\n";
  EXPECT_EQ(import_one("node A\n" + full + "node B\n" + idle).after.listeners.size(), 2U);
  EXPECT_EQ(import_one("node A\n" + full + "again:\n" + idle).after.listeners.size(), 1U);
  EXPECT_EQ(import_one("first\n" + full + "as I said\n" + full).after.listeners.size(), 1U);
}

TEST(Places, ThePromptOfSuse) {
  const Observation observation = import_one(
      "web01:~ # cat /proc/sys/net/core/somaxconn /proc/sys/net/ipv4/tcp_max_syn_backlog\n"
      "4096\n1024\nweb01:~ # uname -r\n5.14.21-default\n");
  EXPECT_EQ(somaxconn_of(observation, "host web01"), 4096);
  EXPECT_EQ(observation.after.host.kernel, "5.14.21-default");
}

TEST(Places, HeadingsTellNamespacesApart) {
  const Observation observation = import_one(
      "node$ cat /proc/sys/net/core/somaxconn\n32768\n"
      "node$ kubectl -n shop exec -it web-1 -c nginx -- ss -lnt\n" +
      std::string(kSs) +
      "node$ kubectl exec -n shop web-1 -- cat /proc/sys/net/core/somaxconn\n128\n");
  EXPECT_EQ(somaxconn_of(observation, "pod shop/web-1"), 128);
  EXPECT_EQ(somaxconn_of(observation, "host node"), 32768);
}

TEST(Places, WhoLooksIntoAPodIsNotItsHost) {
  const std::string inside = "me@laptop:~$ kubectl exec web-1 -- ss -lnt\n" + std::string(kSs);
  EXPECT_EQ(import_one(inside).after.host.name, "");
  EXPECT_EQ(import_one("me@web01:~$ ss -lnt\n" + std::string(kSs)).after.host.name, "web01");
}

TEST(Places, AShellStaysUntilItIsLeft) {
  const Observation observation = import_one(
      "root@node:~# nsenter -t 3985 -n\n"
      "root@node:~# cat /proc/sys/net/core/somaxconn\n128\n"
      "root@node:~# exit\n"
      "root@node:~# cat /proc/sys/net/core/somaxconn\n4096\n");
  EXPECT_EQ(somaxconn_of(observation, "network namespace of pid 3985"), 128);
  EXPECT_EQ(somaxconn_of(observation, "host node"), 4096);
}

TEST(Settings, ConfiguredIsNotInForce) {
  EXPECT_EQ(refused("$ cat /etc/sysctl.conf\nnet.core.somaxconn = 65535\n").substr(0, 10),
            "nothing in");
}

TEST(Settings, OneThatNoListenerHereCanHaveHadIsNotBelieved) {
  const Observation observation = import_one("LISTEN 0 4096 *:80 *:*\nnet.core.somaxconn = 128\n");
  EXPECT_EQ(somaxconn_of(observation, "t"), std::nullopt);
}

TEST(Settings, OfSeveralTheOneThatIsALimitIsTaken) {
  const Observation observation =
      import_one(std::string(kSs) + "net.core.somaxconn = 32768\n\nnet.core.somaxconn = 128\n");
  EXPECT_EQ(somaxconn_of(observation, "t"), 128);
}

TEST(Refused, SaysWhy) {
  EXPECT_NE(refused("hello\n").find("nothing in t could be read"), std::string::npos);
  EXPECT_NE(refused("").find("nothing in t could be read"), std::string::npos);
  EXPECT_NE(refused("$ ss -lnt\nbash: ss: command not found\n").find("line 2: a command failed"),
            std::string::npos);
  EXPECT_NE(refused("tcp4  0  0  *.80  *.*  LISTEN\n").find("BSD or macOS"), std::string::npos);
  EXPECT_NE(refused("  TCP    0.0.0.0:80   0.0.0.0:0   LISTENING   4\n").find("Windows"),
            std::string::npos);
  EXPECT_NE(refused(std::string("a\0b", 3)).find("no text"), std::string::npos);
}

TEST(Prose, IsNoEvidence) {
  const Observation observation = import_one(
      "When ListenOverflows grows, the accept queue of a LISTEN socket is full.\n"
      "TCP: the state LISTEN is shown by ss.\n\n" +
      std::string(kSs));
  EXPECT_TRUE(reasons(observation, "AQ621").empty());
  EXPECT_EQ(observation.after.listeners.size(), 1U);
}

// netstat of a Slovenian host, say: nothing is taken for 0 that was only not understood.
TEST(Counters, InALanguageThatIsNotKnownAreNotKnown) {
  const std::string text =
      "Tcp:\n    17 pasivno odprtih povezav\nTcpExt:\n    9 zakasnjenih ACK\nIpExt:\n"
      "    InOctets: 4\n";
  EXPECT_NE(refused(text).find("language that acceptq does not know"), std::string::npos)
      << refused(text);
  const Observation observation = import_one(text + "\nLISTEN 0 128 *:80 *:*\n");
  EXPECT_EQ(counter(observation.after, "TcpExtListenOverflows"), std::nullopt) << text;
  EXPECT_EQ(reasons(observation, "AQ621").size(), 1U) << text;
}

// net-tools 2.10 in Czech, Estonian and Japanese.
TEST(Counters, InTheLanguagesOfNetToolsAreTheSame) {
  const std::string texts[] = {
      "Tcp:\n    Počet pasivně navázaných spojení: 17\nTcpExt:\n"
      "    Počet přetečení naslouchací fronty socketu: 12178939\n"
      "    Počet zahozených SYN packetů určených naslouchajícímu socketu: 12247395\nIpExt:\n"
      "    InOctets: 4\n",
      "Tcp:\n    17 passiivset ühenduse avamist\nTcpExt:\n"
      "    12178939 korral ületäitus sokli kuulamise järjekord\n"
      "    12247395 SYNs to LISTEN sockets dropped\nIpExt:\n    InOctets: 4\n",
      "ソケットのリスンキューが12178939回オーバフロー\n12247395のソケットリスンSYNが無視\n"};
  for (const std::string& text : texts) {
    const Observation observation = import_one(text);
    EXPECT_EQ(counter(observation.after, "TcpExtListenOverflows"), 12178939U) << text;
    EXPECT_EQ(counter(observation.after, "TcpExtListenDrops"), 12247395U) << text;
    EXPECT_TRUE(reasons(observation, "AQ621").empty()) << text;
  }
}

// What one of the article's lines becomes on its way through terminals, mail and chat.
std::string utf16(std::string_view text, bool big_endian) {
  std::string bytes = big_endian ? "\xFE\xFF" : "\xFF\xFE";
  for (const char c : text) {
    bytes += big_endian ? '\0' : c;
    bytes += big_endian ? c : '\0';
  }
  return bytes;
}

std::string each_line(std::string_view text, std::string_view before, std::string_view after) {
  std::string all;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    all += std::string(before) + std::string(text.substr(begin, end - begin)) + std::string(after);
    begin = end + 1;
  }
  return all;
}

constexpr const char* kSeed =
    "$ netstat -s | grep -E 'overflow|drop'\n"
    "    12178939 times the listen queue of a socket overflowed\n"
    "    12247395 SYNs to LISTEN sockets dropped\n"
    "$ nstat -az | grep Listen\n"
    "TcpExtListenOverflows           12178939              0.0\n"
    "TcpExtListenDrops               12247395              0.0\n"
    "$ ss -lnt\n"
    "State      Recv-Q Send-Q Local Address:Port   Peer Address:Port\n"
    "LISTEN     129    128                *:80                *:*\n"
    "$ cat /proc/sys/net/core/somaxconn\n"
    "128\n";

TEST(Mutations, OfTheWholeSayTheSame) {
  const std::string texts[] = {kSeed,
                               each_line(kSeed, "", "\r\n"),
                               each_line(kSeed, "> ", "\n"),
                               each_line(kSeed, "> > ", "\n"),
                               each_line(kSeed, "\x1b[32m", "\x1b[0m\x1b[K\n"),
                               each_line(kSeed, "", "   \n"),
                               each_line(kSeed, "", "\n\n"),
                               utf16(kSeed, false),
                               utf16(kSeed, true),
                               "```console\n" + std::string(kSeed) + "```\n",
                               "\xEF\xBB\xBF" + std::string(kSeed)};
  for (const std::string& text : texts) {
    const Observation observation = import_one(text);
    const Listener* listener = at(observation, "0.0.0.0:80");
    ASSERT_NE(listener, nullptr) << text;
    EXPECT_EQ(listener->accept_queue_len, QueueLength(129)) << text;
    EXPECT_EQ(listener->limit, QueueLimit(128)) << text;
    EXPECT_EQ(counter(observation.after, "TcpExtListenOverflows"), 12178939U) << text;
    EXPECT_EQ(counter(observation.after, "TcpExtListenDrops"), 12247395U) << text;
    EXPECT_EQ(somaxconn_of(observation, "t"), 128) << text;
    EXPECT_TRUE(reasons(observation, "AQ621").empty()) << text;
  }
}

TEST(Counters, ColumnsThatAwkPickedAreRead) {
  const Observation observation = import_one(
      std::string("$ ss -lnt\n") + kSs +
      "$ awk '/TcpExt/ {print $21,$22}' /proc/net/netstat\nListenOverflows ListenDrops\n99 107\n");
  EXPECT_EQ(counter(observation.after, "TcpExtListenOverflows"), 99U);
  EXPECT_EQ(counter(observation.after, "TcpExtListenDrops"), 107U);
  EXPECT_TRUE(reasons(observation, "AQ621").empty());
  // A sentence about them is none.
  EXPECT_FALSE(counter(import_one(std::string(kSs) + "ListenOverflows grew\n1 2\n").after,
                       "TcpExtListenOverflows"));
}

// A diff of it is to be applied to the files as they are.
TEST(Configs, AreAsTheServerHasThem) {
  const std::string dump = "$ ss -lnt\r\n" + std::string(kSs) +
                           "$ nginx -T\n# configuration file /etc/nginx/nginx.conf:\n"
                           "http {\n\tinclude sites/*;  \n\n}\n\n"
                           "# configuration file /etc/nginx/sites/a:\r\n"
                           "server {\r\n\tlisten\t80;\r\n}\r\n\r\n\r\nThat is all.\n";
  const Text texts[] = {{.name = "t", .bytes = dump}};
  const Result<Imported> imported = import_texts(texts);
  ASSERT_TRUE(imported);
  ASSERT_EQ(imported->configs.size(), 1U);
  const auto& files = imported->configs[0].files;
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[0].text, "http {\n\tinclude sites/*;  \n\n}\n");
  EXPECT_EQ(files[1].text, "server {\n\tlisten\t80;\n}\n");
  EXPECT_EQ(imported->configs[0].netns, imported->observation.after.listeners[0].netns);
}

// Cut off anywhere: what is read is right, or not read at all. (A bare number alone cannot tell
// that it goes on.)
TEST(Mutations, CutOffAnywhereNothingIsInvented) {
  const std::string whole = kSeed;
  for (std::size_t size = 0; size < whole.rfind("128"); ++size) {
    const Text texts[] = {{.name = "t", .bytes = whole.substr(0, size)}};
    const Result<Imported> imported = import_texts(texts);
    if (!imported) continue;
    const Observation& observation = imported->observation;
    const auto overflows = counter(observation.after, "TcpExtListenOverflows");
    const auto drops = counter(observation.after, "TcpExtListenDrops");
    EXPECT_TRUE(!overflows || *overflows == 12178939U) << size;
    EXPECT_TRUE(!drops || *drops == 12247395U) << size;
    for (const Listener& listener : observation.after.listeners) {
      EXPECT_EQ(listener.limit, QueueLimit(128)) << size;
      EXPECT_EQ(listener.port, 80) << size;
    }
  }
}

}  // namespace
}  // namespace acceptq::imports
