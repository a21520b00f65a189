#include "diagnose/catalogue.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <string>

#include "base/file.h"
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
  for (const std::string& word : known_words()) EXPECT_TRUE(explain_word(word)) << word;
  for (const char* word : {"aq101", "ListenOverflows", "listendrops", "somaxconn",
                           "net/core/somaxconn", "PassiveOpens", "SYNs to LISTEN sockets dropped",
                           "12178939 times the listen queue of a socket overflowed"}) {
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

std::string findings_document() {
  std::string text =
      "# Findings\n\nWhat acceptq can say, by number. Made from the table in "
      "`src/diagnose/catalogue.cc`;\n`acceptq explain AQ101` prints the same.\n";
  for (const CatalogueEntry& entry : catalogue()) {
    text += "\n## " + std::string(entry.id) + ": " + std::string(entry.title) + "\n\n";
    constexpr const char* kSeverities[] = {"notice", "warning", "critical"};
    text += "Severity: " + std::string(kSeverities[static_cast<int>(entry.severity)]) + ".\n\n";
    text += std::string(entry.meaning) + "\n\n**What to do:** " + std::string(entry.next) + "\n";
  }
  return text;
}

// docs/findings.md says what the table says; ACCEPTQ_UPDATE_DOCS=1 writes it anew.
TEST(FindingsDocument, IsUpToDate) {
  const std::string path = ACCEPTQ_SOURCE_DIR "/docs/findings.md";
  if (std::getenv("ACCEPTQ_UPDATE_DOCS") != nullptr) {  // NOLINT(concurrency-mt-unsafe): one thread
    ASSERT_TRUE(write_file_atomically(path, findings_document()));
  }
  EXPECT_EQ(read_file(path), findings_document()) << "run with ACCEPTQ_UPDATE_DOCS=1";
}

}  // namespace
}  // namespace acceptq::diagnose
