#include "diagnose/catalogue.h"

#include <gtest/gtest.h>

#include <string>

#include "diagnose/explain.h"

namespace acceptq::diagnose {
namespace {

TEST(Catalogue, NumbersAreUniqueAndOrdered) {
  std::string_view last;
  for (const CatalogueEntry& entry : catalogue()) {
    EXPECT_LT(last, entry.id);
    last = entry.id;
    EXPECT_FALSE(entry.meaning.empty()) << entry.id;
    EXPECT_FALSE(entry.next.empty()) << entry.id;
  }
  EXPECT_EQ(find_entry("AQ999"), nullptr);
}

TEST(ExplainWord, TakesEveryNameOfAWord) {
  constexpr const char* kFloodingMessage =
      "TCP: request_sock_TCP: Possible SYN flooding on port 80. Sending cookies.  Check SNMP "
      "counters.";
  for (const std::string& word : known_words()) EXPECT_TRUE(explain_word(word)) << word;
  for (const char* word :
       {"aq101", "ListenOverflows", "listendrops", "somaxconn", "net/core/somaxconn",
        "PassiveOpens", "SYNs to LISTEN sockets dropped",
        "12178939 times the listen queue of a socket overflowed", kFloodingMessage, "Recv-Q",
        "Send-Q", "backlog", "TCP_DEFER_ACCEPT", "TCPBacklogDrop", "netdev_max_backlog",
        "(11: Resource temporarily unavailable)"}) {
    EXPECT_TRUE(explain_word(word)) << word;
  }
  EXPECT_FALSE(explain_word("").has_value());
  EXPECT_FALSE(explain_word("frobnicate").has_value());
  EXPECT_FALSE(explain_word(std::string(100000, 'a')).has_value());
}

TEST(SimilarWords, SuggestsWhatWasMeant) {
  EXPECT_EQ(similar_words("ListenOverflow").front(), "TcpExtListenOverflows");
  EXPECT_EQ(similar_words("somaxcon").front(), "net.core.somaxconn");
  EXPECT_TRUE(similar_words("completely different").empty());
}

}  // namespace
}  // namespace acceptq::diagnose
