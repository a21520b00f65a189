#include "diagnose/catalogue_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace acceptq::diagnose {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(ParseFindings, JoinsLinesAndLeavesMarksOut) {
  const auto entries = parse_findings(
      "# Findings\n\nFor readers.\n\n## AQ1: `accept()` is slow\n\nSeverity: critical.\n\n"
      "One line\nand another.\n\nA second paragraph.\n\n**What to do:** Look at\n`ss`.\n");
  ASSERT_TRUE(entries.has_value()) << entries.error().message();
  ASSERT_EQ(entries->size(), 1U);
  const CatalogueEntry& entry = entries->front();
  EXPECT_EQ(entry.id, "AQ1");
  EXPECT_EQ(entry.severity, Severity::kCritical);
  EXPECT_EQ(entry.title, "accept() is slow");
  EXPECT_EQ(entry.meaning, "One line and another.\n\nA second paragraph.");
  EXPECT_EQ(entry.next, "Look at ss.");
}

TEST(ParseWords, TakesAliasesInLowerCase) {
  const auto words = parse_words(
      "## Recv-Q: a column\n\nKind: column. Also: `RecvQ`, `two words`.\n\nText.\n\n"
      "In the kernel: f (net/x.c).\n");
  ASSERT_TRUE(words.has_value()) << words.error().message();
  ASSERT_EQ(words->size(), 1U);
  EXPECT_EQ(words->front().kind, "column");
  EXPECT_THAT(words->front().aliases, ElementsAre("recvq", "two words"));
  EXPECT_EQ(words->front().source, "f (net/x.c)");
}

TEST(ParsePages, NameTheSectionThatIsMalformed) {
  for (const char* page : {"## AQ1 no colon\n\nSeverity: notice.\n\nT.\n\n**What to do:** N.\n",
                           "## AQ1: t\n\nSeverity: notice.\n\n**What to do:** N.\n",
                           "## AQ1: t\n\nSeverity: bad.\n\nT.\n\n**What to do:** N.\n",
                           "## AQ1: t\n\nT.\n\nT.\n\n**What to do:** N.\n", "## AQ1: t\n"}) {
    const auto entries = parse_findings(page);
    ASSERT_FALSE(entries.has_value()) << page;
    EXPECT_THAT(entries.error().message(), HasSubstr("AQ1")) << page;
  }
  EXPECT_FALSE(parse_words("## w: t\n\nKind: column\n\nT.\n\nIn the kernel: f.\n").has_value());
  EXPECT_TRUE(parse_words("").has_value());
}

}  // namespace
}  // namespace acceptq::diagnose
