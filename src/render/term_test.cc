#include "render/term.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace acceptq::render {
namespace {

TEST(Wrap, KeepsLinesWithinTheWidth) {
  const TermStyle style{.width = 40};
  std::string text = wrap(style, 4,
                          "Clients whose first packet was refused — “SYN” — try again "
                          "after 1 s, then later and later.\nA second paragraph.");
  EXPECT_TRUE(text.ends_with("    A second paragraph.\n"));
  std::string_view rest = text;
  while (!rest.empty()) EXPECT_LE(columns(next_line(rest)), 40);
  EXPECT_EQ(wrap(style, 2, ""), "");
}

TEST(Wrap, LetsAWordThatFitsNowhereStandAlone) {
  const TermStyle style{.width = 40};
  const std::string word(60, 'x');
  EXPECT_EQ(wrap(style, 0, "a " + word + " b"), "a\n" + word + "\nb\n");
}

TEST(Fit, CutsAndFillsToColumnsNotBytes) {
  EXPECT_EQ(fit("nginx", 7), "nginx  ");
  EXPECT_EQ(fit("nginx", 3), "ngi");
  EXPECT_EQ(fit("éèê", 2), "éè");
  EXPECT_EQ(fit("é", 2), "é ");
  EXPECT_EQ(last_columns("éèê", 2), "èê");
  EXPECT_EQ(last_columns("ab", 5), "ab");
}

TEST(Ink, ColoursOnlyWhereTold) {
  EXPECT_EQ(ink({.color = false}, Ink::kRed, "x"), "x");
  EXPECT_EQ(ink({.color = true}, Ink::kRed, "x"), "\x1b[31;1mx\x1b[0m");
}

TEST(Bar, IsNeverEmptyWhileSomethingWaits) {
  const TermStyle ascii{.unicode = false};
  EXPECT_EQ(bar(ascii, 0, 4), "....");
  EXPECT_EQ(bar(ascii, 0.001, 4), "#...");
  EXPECT_EQ(bar(ascii, 1, 4), "####");
  EXPECT_EQ(bar(ascii, 7, 4), "####");
  EXPECT_EQ(bar({}, 0.5, 2), "█░");
}

TEST(ForTerminal, LeavesOnlyAsciiWhereThereIsNothingElse) {
  EXPECT_EQ(for_terminal({.unicode = true}, "café …"), "café …");
  EXPECT_EQ(for_terminal({.unicode = false}, "café … 1–2 ≥"), "caf\\xc3\\xa9 ... 1-2 >=");
}

}  // namespace
}  // namespace acceptq::render
