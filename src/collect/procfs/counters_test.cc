#include "collect/procfs/counters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/file.h"

namespace acceptq::collect::procfs {
namespace {

const std::string kData = ACCEPTQ_SOURCE_DIR "/tests/data/procfs";
constexpr std::string_view kSnmp = "Tcp: MaxConn PassiveOpens\nTcp: -1 7\n";

TEST(CounterParser, ReadsARecordedKernel) {
  CounterParser parser;
  const Result<Counters> counters = parser.read(kData + "/linux-6.18/net");
  ASSERT_TRUE(counters.has_value()) << counters.error().message();
  EXPECT_EQ(counters->at("TcpExtListenOverflows"), 12178939U);
  EXPECT_EQ(counters->at("TcpExtListenDrops"), 12247395U);
  EXPECT_EQ(counters->at("TcpExtSyncookiesSent"), 4294967296123U);
  EXPECT_EQ(counters->at("TcpPassiveOpens"), 2U);
  EXPECT_EQ(counters->at("TcpRtoMax"), 120000U);
  EXPECT_TRUE(counters->contains("TcpExtTCPAODroppedIcmps"));  // the last column
  EXPECT_TRUE(counters->contains("MPTcpExtMPCapableSYNRX"));
  EXPECT_FALSE(counters->contains("TcpMaxConn"));  // -1
  EXPECT_FALSE(counters->contains("IpExtInOctets"));
  EXPECT_FALSE(counters->contains("IpForwarding"));
}

TEST(CounterParser, GoesByNameFromKernelToKernel) {
  CounterParser parser;
  for (int round = 0; round < 2; ++round) {
    const Result<Counters> modern = parser.read(kData + "/linux-6.18/net");
    const Result<Counters> old = parser.read(kData + "/linux-3.10/net");
    ASSERT_TRUE(modern && old);
    EXPECT_EQ(modern->at("TcpExtListenDrops"), 12247395U);
    EXPECT_EQ(old->at("TcpExtListenOverflows"), 517U);
    EXPECT_EQ(old->at("TcpExtListenDrops"), 519U);
    EXPECT_EQ(old->at("TcpCurrEstab"), 3U);
    EXPECT_FALSE(old->contains("MPTcpExtMPCapableSYNRX"));
    EXPECT_FALSE(old->contains("TcpInCsumErrors"));
  }
}

TEST(CounterParser, TakesTheWholeRangeOfACounter) {
  const Result<Counters> counters =
      parse_counters("TcpExt: A B C\nTcpExt: 18446744073709551615 0  5\n", kSnmp);
  ASSERT_TRUE(counters.has_value());
  EXPECT_EQ(counters->at("TcpExtA"), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(counters->at("TcpExtC"), 5U);
  EXPECT_EQ(counters->at("TcpPassiveOpens"), 7U);
}

struct BadRow {
  const char* what;
  std::string_view netstat;
  std::string_view snmp;
  ErrorCode code;
  const char* says;
};

TEST(CounterParser, SaysWhereAndWhyItRefuses) {
  constexpr std::string_view kGood = "TcpExt: A B\nTcpExt: 1 2\n";
  const BadRow rows[] = {
      {"empty", "", kSnmp, ErrorCode::kTruncated, "netstat: does not end with a newline"},
      {"empty snmp", kGood, "", ErrorCode::kTruncated, "snmp: does not end"},
      {"cut in a value", "TcpExt: A B\nTcpExt: 1 2", kSnmp, ErrorCode::kTruncated, "netstat: "},
      {"no values", "IpExt: A\nIpExt: 1\nTcpExt: A B\n", kSnmp, ErrorCode::kTruncated,
       "netstat, line 4: the line of values is missing"},
      {"too few", "TcpExt: A B\nTcpExt: 1\n", kSnmp, ErrorCode::kMalformed,
       "netstat, line 2: 1 values for 2 names"},
      {"too many", kGood, "Ip: A\nIp: 1\nTcp: A\nTcp: 1 2\n", ErrorCode::kMalformed,
       "snmp, line 4: 2 values for 1 names"},
      {"other group", "TcpExt: A\nIpExt: 1\n", kSnmp, ErrorCode::kMalformed, "netstat, line 2"},
      {"no group", "hello\nworld\n", kSnmp, ErrorCode::kMalformed, "netstat, line 1"},
      {"a word", "TcpExt: A B\nTcpExt: 1 x\n", kSnmp, ErrorCode::kMalformed,
       "netstat, line 2: value 2, \"x\", is not a 64-bit number"},
      {"number and word", "TcpExt: A\nTcpExt: 1x\n", kSnmp, ErrorCode::kMalformed, "\"1x\""},
      {"past 64 bits", "TcpExt: A\nTcpExt: 18446744073709551616\n", kSnmp, ErrorCode::kMalformed,
       "netstat, line 2"},
      {"minus alone", "TcpExt: A\nTcpExt: -\n", kSnmp, ErrorCode::kMalformed, "netstat, line 2"},
      {"column twice", "TcpExt: A A\nTcpExt: 1 2\n", kSnmp, ErrorCode::kMalformed,
       "netstat, line 1: column TcpExtA appears twice"},
      {"group twice", "TcpExt: A\nTcpExt: 1\nTcpExt: A\nTcpExt: 1\n", kSnmp, ErrorCode::kMalformed,
       "netstat, line 3: the group appears twice"},
      {"no TcpExt", "IpExt: A\nIpExt: 1\n", kSnmp, ErrorCode::kTruncated, "TcpExt is missing"},
      {"no Tcp", kGood, "Ip: A\nIp: 1\n", ErrorCode::kTruncated, "Tcp is missing"},
  };
  for (const BadRow& row : rows) {
    const Result<Counters> counters = parse_counters(row.netstat, row.snmp);
    ASSERT_FALSE(counters.has_value()) << row.what;
    EXPECT_EQ(counters.error().code, row.code) << row.what;
    EXPECT_THAT(counters.error().context, testing::HasSubstr(row.says)) << row.what;
  }
}

TEST(CounterParser, RecoversFromABadText) {
  CounterParser parser;
  EXPECT_FALSE(parser.parse("TcpExt: A A\nTcpExt: 1 2\n", kSnmp).has_value());
  EXPECT_FALSE(parser.parse("TcpExt: A A\nTcpExt: 1 2\n", kSnmp).has_value());
  EXPECT_TRUE(parser.parse("TcpExt: A B\nTcpExt: 1 2\n", kSnmp).has_value());
}

TEST(CounterParser, RefusesEveryPrefixOfARecordedFile) {
  const Result<std::string> netstat = read_file(kData + "/linux-6.18/net/netstat");
  const Result<std::string> snmp = read_file(kData + "/linux-6.18/net/snmp");
  ASSERT_TRUE(netstat && snmp);
  CounterParser parser;
  for (std::size_t size = 0; size < snmp->size(); ++size) {
    const std::string_view prefix = std::string_view(*snmp).substr(0, size);
    const bool has_tcp = prefix.ends_with('\n') && prefix.find("Tcp: 1 ") != prefix.npos &&
                         std::count(prefix.begin(), prefix.end(), '\n') % 2 == 0;
    EXPECT_EQ(parser.parse(*netstat, prefix).has_value(), has_tcp) << size;
  }
}

TEST(CounterParser, NamesTheFileThatIsNotThere) {
  CounterParser parser;
  const Result<Counters> counters = parser.read("/nonexistent/net");
  ASSERT_FALSE(counters.has_value());
  EXPECT_EQ(counters.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(counters.error().message(), testing::HasSubstr("/nonexistent/net/netstat"));
}

TEST(IsGauge, KnowsWhatDoesNotCount) {
  EXPECT_TRUE(is_gauge("TcpCurrEstab"));
  EXPECT_FALSE(is_gauge("TcpExtListenDrops"));
}

}  // namespace
}  // namespace acceptq::collect::procfs
