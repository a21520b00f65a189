#include "lab/tools.h"

#include <gtest/gtest.h>

namespace acceptq::lab {
namespace {

constexpr const char* kSs =
    "LISTEN 129    128          0.0.0.0:80        0.0.0.0:*\n"
    "LISTEN 0      511             [::]:80           [::]:*\n"
    "LISTEN 7      5       127.0.0.1%lo:8080      0.0.0.0:*\n"
    "ESTAB  500    5            0.0.0.0:8080      0.0.0.0:*\n"
    "LISTEN 200    5            0.0.0.0:180       0.0.0.0:*\n";

TEST(ParseSs, TakesTheFullestListenerOfThePort) {
  const std::optional<QueueLine> line = parse_ss(kSs, 80);
  ASSERT_TRUE(line);
  EXPECT_EQ(line->length, 129U);
  EXPECT_EQ(line->limit, 128U);
  EXPECT_EQ(line->text, "LISTEN 129    128          0.0.0.0:80        0.0.0.0:*");
  const std::optional<QueueLine> other = parse_ss(kSs, 8080);
  ASSERT_TRUE(other);
  EXPECT_EQ(other->length, 7U);
}

TEST(ParseSs, FindsNothingInWhatIsNoListener) {
  for (const char* text :
       {"", "\n\n", "LISTEN 1 2\n", "LISTEN x 128 0.0.0.0:80 0.0.0.0:*\n",
        "LISTEN 1 -1 0.0.0.0:80 0.0.0.0:*\n", "LISTEN 4294967296 1 0.0.0.0:80 0.0.0.0:*\n",
        "State Recv-Q Send-Q Local Address:Port\n", "LISTEN 1 2 0.0.0.0:8"}) {
    EXPECT_FALSE(parse_ss(text, 80)) << text;
  }
}

TEST(ParseNstat, ReadsNamesAndValues) {
  const std::map<std::string, std::uint64_t> expected = {{"TcpExtListenOverflows", 1003},
                                                         {"TcpPassiveOpens", 0}};
  EXPECT_EQ(parse_nstat("#kernel\n"
                        "TcpPassiveOpens                 0                  0.0\n"
                        "TcpExtListenOverflows           1003               0.0\n"
                        "TcpMaxConn                      -1                 0.0\n"
                        "half\n"),
            expected);
  EXPECT_TRUE(parse_nstat("").empty());
  EXPECT_TRUE(parse_nstat("\n#\n \n").empty());
}

}  // namespace
}  // namespace acceptq::lab
