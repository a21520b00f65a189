#include "import/capture/tcpdump_text.h"

#include <gtest/gtest.h>

#include <string>

#include "import/capture/service_names.h"

namespace acceptq::imports::capture {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

TcpdumpText read(std::initializer_list<std::string_view> lines) {
  TcpdumpText text;
  for (const std::string_view line : lines) text.add(line);
  return text;
}

evidence::TcpPacket only(std::initializer_list<std::string_view> lines) {
  const TcpdumpText text = read(lines);
  EXPECT_EQ(text.lines().size(), 1U) << *lines.begin();
  return text.empty() ? evidence::TcpPacket{} : text.lines()[0].packet;
}

// What tcpdump 4.99 prints of one SYN with every form of its options.
TEST(TcpdumpText, ReadsASynInEveryForm) {
  const std::initializer_list<std::string_view> forms[] = {
      {"16:06:33.671250 IP 10.77.1.2.33094 > 10.77.2.2.80: Flags [S], seq 416500297, win 64240, "
       "options [mss 1460,sackOK,TS val 7 ecr 0,nop,wscale 10], length 0"},
      {"IP 10.77.1.2.33094 > 10.77.2.2.80: Flags [S], seq 416500297, win 64240, length 0"},
      {"1795709193.671250 IP 10.77.1.2.33094 > 10.77.2.2.80: Flags [S], seq 416500297, length 0"},
      {" 00:00:00.000000 IP 10.77.1.2.33094 > 10.77.2.2.80: Flags [S], seq 416500297, length 0\r"},
      {"2026-11-26 16:06:33.671250 IP 10.77.1.2.33094 > 10.77.2.2.http: Flags [S], seq 416500297, "
       "win 64240, length 0"},
      {"16:06:33.671250 3a:4e:1f:06:47:5f > 5e:6c:5a:9c:7c:3b, ethertype IPv4 (0x0800), length 74: "
       "10.77.1.2.33094 > 10.77.2.2.80: Flags [S], seq 416500297, win 64240, length 0"},
      {"16:06:33.671250 3a:4e:1f:06:47:5f > 5e:6c:5a:9c:7c:3b, ethertype 802.1Q (0x8100), length "
       "78: vlan 10, p 0, ethertype IPv4 (0x0800), 10.77.1.2.33094 > 10.77.2.2.80: Flags [S], seq "
       "416500297, win 64240, length 0"},
      {"16:06:33.671250 IP (tos 0x0, ttl 63, id 27346, offset 0, flags [DF], proto TCP (6), length "
       "60)",
       "    10.77.1.2.33094 > 10.77.2.2.80: Flags [S], cksum 0x1860 (incorrect -> 0x5d5c), seq "
       "416500297, win 64240, options [mss 1460], length 0"},
      {"16:06:33.671250 eth0  In  IP 10.77.1.2.33094 > 10.77.2.2.80: Flags [S], seq 416500297, win "
       "64240, length 0"},
      {"16:06:33.671250 IP 10.77.1.2.33094 > 10.77.2.2.80: S 416500297:416500297(0) win 5840 <mss "
       "1460,sackOK,timestamp 7 0,nop,wscale 7>"},
  };
  for (const auto& form : forms) {
    const evidence::TcpPacket packet = only(form);
    EXPECT_EQ(packet.source.to_string(), "10.77.1.2") << *form.begin();
    EXPECT_EQ(packet.source_port, 33094) << *form.begin();
    EXPECT_EQ(packet.destination_port, 80) << *form.begin();
    EXPECT_EQ(packet.sequence, 416500297U) << *form.begin();
    EXPECT_TRUE(packet.syn && !packet.ack && !packet.rst && !packet.has_data) << *form.begin();
  }
  EXPECT_EQ(only(forms[7]).ttl, 63);
  EXPECT_EQ(only(forms[7]).ip_id, 27346);
  EXPECT_EQ(only(forms[8]).direction, evidence::Direction::kIn);
}

TEST(TcpdumpText, ReadsWhatFollowsTheSyn) {
  const auto synack =
      only({"IP 10.77.2.2.80 > 10.77.1.2.33094: Flags [S.], seq 9, ack 416500298, "
            "win 65160, length 0"});
  EXPECT_TRUE(synack.syn && synack.ack);
  EXPECT_EQ(synack.acknowledged, 416500298U);
  const auto ack = only({"IP 10.77.1.2.33094 > 10.77.2.2.80: Flags [.], ack 1, win 63, length 0"});
  EXPECT_TRUE(ack.ack && !ack.has_data);
  const auto data =
      only({"IP 10.77.1.2.33094 > 10.77.2.2.80: Flags [P.], seq 1:19, ack 1, win 63, "
            "length 18: HTTP: GET / HTTP/1.0"});
  EXPECT_TRUE(data.has_data && data.is_relative);
  EXPECT_EQ(data.sequence, 1U);
  const auto reset =
      only({"IP 10.77.2.2.83 > 10.77.1.2.3: Flags [R.], seq 0, ack 1, win 0, length "
            "0"});
  EXPECT_TRUE(reset.rst && reset.ack);
  const auto old = only({"IP 10.77.1.2.3 > 10.77.2.2.80: P 1:19(18) ack 1 win 46"});
  EXPECT_TRUE(old.has_data && old.ack);
  const auto old_ack = only({"IP 10.77.1.2.3 > 10.77.2.2.80: . ack 1 win 46"});
  EXPECT_TRUE(old_ack.ack && !old_ack.has_data);
}

TEST(TcpdumpText, ReadsIpV6) {
  const auto plain =
      only({"16:06:33.6 IP6 fd77:1::2.33094 > fd77:2::2.443: Flags [S], seq 5, "
            "length 0"});
  EXPECT_EQ(plain.destination.to_string(), "fd77:2::2");
  EXPECT_EQ(plain.destination_port, 443);
  const auto verbose =
      only({"IP6 (flowlabel 0x4ac, hlim 64, next-header TCP (6) payload length: "
            "40) ::1.33094 > ::1.https: Flags [S], cksum 0x30 (ok), seq 5, "
            "length 0"});
  EXPECT_EQ(verbose.ttl, 64);
  EXPECT_EQ(verbose.destination_port, 443);
}

TEST(TcpdumpText, GivesNamesANumber) {
  const TcpdumpText text = read(
      {"IP client.example.com.33094 > web-1.shop.svc.cluster.local.http-alt: Flags [S], seq 5, "
       "length 0",
       "IP web-1.shop.svc.cluster.local.http-alt > client.example.com.33094: Flags [R.], seq 0, "
       "ack 6, length 0",
       "IP a.1 > b.nosuchservice: Flags [S], seq 5, length 0"});
  ASSERT_EQ(text.lines().size(), 2U);
  EXPECT_EQ(text.lines()[0].packet.source.to_string(), "240.0.0.1");
  EXPECT_EQ(text.lines()[1].packet.source, text.lines()[0].packet.destination);
  EXPECT_EQ(text.lines()[0].packet.destination_port, 8080);
  EXPECT_EQ(text.stand_ins().size(), 3U);
  EXPECT_EQ(text.unread(), 1U);
}

TEST(TcpdumpText, StepsOverWhatIsNotItsOwn) {
  const TcpdumpText text =
      read({"$ tcpdump -i eth0 -nnnn -ttt port 24568", "tcpdump: verbose output suppressed",
            "16:06:33.1 ARP, Request who-has 10.0.0.1 tell 10.0.0.2, length 28",
            "16:06:33.1 IP 10.0.0.1.53 > 10.0.0.2.4000: 1+ A? example.com. (29)",
            "LISTEN     129    128                *:80                             *:*",
            "a > b: Flags [", " > : Flags [S]", "x: Flags [S]", ""});
  EXPECT_TRUE(text.empty());
  EXPECT_EQ(text.unread(), 0U);
  EXPECT_EQ(read({"16:06:33.1 IP 10.0.0.1.4000 > 10.0.0.2.80: tcp 0"}).unread(), 1U);
}

std::string syn(std::string_view time, int stamp = -1) {
  return std::string(time) +
         " IP 10.0.0.3.24568 > 172.16.1.21.80: Flags [S], seq 416500297, win 1" +
         (stamp < 0 ? "" : ", options [TS val " + std::to_string(stamp) + " ecr 0]") + ", length 0";
}

TcpdumpText::Packets times(std::initializer_list<std::string> lines) {
  TcpdumpText text;
  for (const std::string& line : lines) text.add(line);
  return text.packets();
}

// The same column, and what tells its meaning.
TEST(TcpdumpText, KnowsGapsFromTimes) {
  const auto by_stamps = times({syn("00:00:00.000000", 1000), syn("00:00:01.032218", 2032),
                                syn("00:00:02.011962", 4044), syn("00:00:04.127943", 8172)});
  EXPECT_EQ(by_stamps.column, TimeColumn::kGap);
  EXPECT_FALSE(by_stamps.is_assumed);
  EXPECT_EQ(by_stamps.packets[3].at_ns - by_stamps.packets[0].at_ns, 7'172'123'000);

  const auto since = times({syn("00:00:00.000000", 1000), syn("00:00:01.032218", 2032),
                            syn("00:00:03.044180", 4044), syn("00:00:07.172123", 8172)});
  EXPECT_EQ(since.column, TimeColumn::kSinceFirst);
  EXPECT_EQ(since.packets[3].at_ns - since.packets[0].at_ns, 7'172'123'000);

  // By the times at which Linux repeats SYNs: 1, 2, 4 s apart; or five times 1 s apart.
  EXPECT_EQ(times({syn("00:00:00"), syn("00:00:01"), syn("00:00:02"), syn("00:00:04")}).column,
            TimeColumn::kGap);
  EXPECT_EQ(times({syn("00:00:00"), syn("00:00:01"), syn("00:00:03"), syn("00:00:07")}).column,
            TimeColumn::kSinceFirst);
  EXPECT_EQ(times({syn("00:00:00"), syn("00:00:01"), syn("00:00:02"), syn("00:00:03"),
                   syn("00:00:04"), syn("00:00:05"), syn("00:00:07")})
                .column,
            TimeColumn::kSinceFirst);

  // Going back, it is no time.
  EXPECT_EQ(times({syn("00:00:00.000000"), syn("00:00:01.032218"), syn("00:00:00.500000")}).column,
            TimeColumn::kGap);
  // Nothing tells.
  EXPECT_TRUE(times({syn("00:00:00.000000"), syn("00:00:01.032218")}).is_assumed);
}

TEST(TcpdumpText, TakesACommandLinesWord) {
  for (const auto& [options, column] : {std::pair{"-i eth0 -nnnn -ttt port 80", TimeColumn::kGap},
                                        {"-ni any -ttttt", TimeColumn::kSinceFirst}}) {
    TcpdumpText text;
    text.add(std::string("[root@a ~]# tcpdump ") + options);
    text.add(syn("00:00:00.000000"));
    text.add(syn("00:00:01.000000"));
    EXPECT_EQ(text.packets().column, column) << options;
    EXPECT_FALSE(text.packets().is_assumed);
  }
}

TEST(TcpdumpText, TakesTimesOfTheDay) {
  const auto over_midnight = times({syn("23:59:59.500000"), syn("00:00:00.500000")});
  EXPECT_EQ(over_midnight.column, TimeColumn::kClock);
  EXPECT_EQ(over_midnight.packets[1].at_ns - over_midnight.packets[0].at_ns, kSecond);
  const auto date = times({syn("2020-01-13 14:40:00.000000"), syn("2020-01-13 14:40:01.000000")});
  EXPECT_EQ(date.column, TimeColumn::kDate);
  EXPECT_EQ(date.packets[0].at_ns, 1'578'926'400 * kSecond);
  EXPECT_EQ(times({syn("1578926400.000001")}).packets[0].at_ns, 1'578'926'400 * kSecond + 1000);
}

// The trace of the incident that this project began with: its column is the gap to the line before,
// and the destination is not the pod's own address.
TEST(TcpdumpText, ReadsTheArticlesTrace) {
  std::string text = "tcpdump -i eth0 -nnnn -ttt port 24568\n```\n";
  const std::pair<const char*, long> lines[] = {
      {"00:00:00.000000", 3000206334}, {"00:00:01.032218", 3000207366},
      {"00:00:02.011962", 3000209378}, {"00:00:04.127943", 3000213506},
      {"00:00:08.192056", 3000221698}, {"00:00:16.127983", 3000237826},
      {"00:00:33.791988", 3000271618}};
  for (const auto& [time, stamp] : lines) {
    text += std::string(time) +
            " IP 10.0.0.3.24568 > 172.16.1.21.80: Flags [S], seq 416500297, win 29200, options "
            "[mss 1424,sackOK,TS val " +
            std::to_string(stamp) + " ecr 0,nop,wscale 9], length 0\n";
  }
  for (const std::string& form : {text, text.substr(text.find("00:"))}) {
    const auto observation = read_tcpdump_text(form, "article");
    ASSERT_TRUE(observation);
    EXPECT_NEAR(observation->seconds, 65.284, 0.001);
    ASSERT_EQ(observation->ledgers.size(), 1U);
    const facts::Ledger& ledger = observation->ledgers[0];
    EXPECT_EQ(facts::host_and_port(ledger.address, ledger.port), "172.16.1.21:80");
    EXPECT_EQ(ledger.captured->attempts, 1U);
    EXPECT_EQ(ledger.captured->never_answered, 1U);
    EXPECT_EQ(ledger.captured->side, facts::CaptureSide::kUnknown);
    EXPECT_FALSE(ledger.captured->holds_answers);
    EXPECT_EQ(ledger.captured->even_retries, false) << "its client's kernel is older than 6.5";
    EXPECT_EQ(ledger.syn_unanswered, 6U) << "the last one came as the trace ended";
  }
  EXPECT_FALSE(read_tcpdump_text("no packet at all\n", "other"));
}

TEST(ServiceNames, AreThoseOfServers) {
  EXPECT_EQ(port_of("80"), 80);
  EXPECT_EQ(port_of("http"), 80);
  EXPECT_EQ(port_of("https"), 443);
  EXPECT_EQ(port_of("http-alt"), 8080);
  EXPECT_EQ(port_of("mysql"), 3306);
  EXPECT_EQ(port_of("65536"), std::nullopt);
  EXPECT_EQ(port_of("80x"), std::nullopt);
  EXPECT_EQ(port_of(""), std::nullopt);
}

TEST(TcpdumpText, ReadsTheOptionsOfSyns) {
  TcpdumpText lines;
  const std::string head = "10:00:00.000000 IP 10.0.0.1.40000 > 10.0.0.2.80: ";
  lines.add(head +
            "Flags [S], seq 1, win 64240, options [mss 1460,sackOK,TS val 305 ecr 0,nop,wscale 7], "
            "length 0");
  lines.add(head + "Flags [S.E], seq 1, ack 2, win 65160, options [mss 1460], length 0");
  lines.add(head + "Flags [S], seq 1, win 64240, length 0");
  lines.add(head + "Flags [S], seq 1, win 64240, options [mss 1460,[|tcp]");
  lines.add(head + "S 1:1(0) win 5840 <mss 1460,sackOK,timestamp 305 0,nop,wscale 200>");
  lines.add(head + "Flags [.], ack 1, win 63, options [nop,nop,TS val 306 ecr 1], length 0");
  ASSERT_EQ(lines.lines().size(), 6U);
  const auto options = [&](std::size_t i) { return lines.lines()[i].packet.options; };
  using evidence::TcpOptions;
  EXPECT_EQ(options(0), (TcpOptions{.known = true,
                                    .sack = true,
                                    .has_timestamp = true,
                                    .window_scale = 7,
                                    .timestamp = 305}));
  EXPECT_EQ(options(1), (TcpOptions{.known = true, .ecn = true}));
  EXPECT_EQ(options(2), TcpOptions{.known = true});
  EXPECT_FALSE(options(3).known);
  EXPECT_EQ(options(4).window_scale, 14);
  EXPECT_EQ(options(4).timestamp, 305U);
  EXPECT_EQ(options(5), (TcpOptions{.has_timestamp = true, .timestamp = 306}))
      << "of others no more than that";
}

}  // namespace
}  // namespace acceptq::imports::capture
