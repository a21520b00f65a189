#include "base/text.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace acceptq {
namespace {

TEST(ParseInt, TakesOnlyTheWholeText) {
  EXPECT_EQ(parse_int<int>("42"), 42);
  EXPECT_EQ(parse_int<int>("-1"), -1);
  EXPECT_EQ(parse_int<std::uint64_t>("bae1", 16), 0xbae1U);
  EXPECT_EQ(parse_int<std::uint32_t>("4294967295"), 4294967295U);
  for (const char* bad : {"", " 1", "1 ", "1x", "+1", "0x1", "4294967296", "-1"}) {
    EXPECT_EQ(parse_int<std::uint32_t>(bad), std::nullopt) << '"' << bad << '"';
  }
}

TEST(SplitBlank, SkipsRunsOfBlanks) {
  EXPECT_EQ(split_blank("  a\t b\r\nc "), (std::vector<std::string_view>{"a", "b", "c"}));
  EXPECT_TRUE(split_blank(" \n").empty());
}

TEST(Split, KeepsEmptyParts) {
  EXPECT_EQ(split("a::b", ':'), (std::vector<std::string_view>{"a", "", "b"}));
  EXPECT_EQ(split("", ':'), (std::vector<std::string_view>{""}));
}

TEST(NextLine, CutsLinesOfEitherEnding) {
  std::string_view rest = "one\r\ntwo\nthree";
  EXPECT_EQ(next_line(rest), "one");
  EXPECT_EQ(next_line(rest), "two");
  EXPECT_EQ(next_line(rest), "three");
  EXPECT_TRUE(rest.empty());
}

TEST(Trim, CutsBothEnds) {
  EXPECT_EQ(trim("\t a b \n"), "a b");
  EXPECT_EQ(trim("  "), "");
}

TEST(EditDistance, CountsWhatMakesOneOfTheOther) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("abc", ""), 3U);
  EXPECT_EQ(edit_distance("interval", "intervall"), 1U);
  EXPECT_EQ(edit_distance("listen", "lsiten"), 2U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(ParseInodeLink, NeedsTheWholeForm) {
  EXPECT_EQ(parse_inode_link("net:[4026531840]", "net"), 4026531840U);
  EXPECT_EQ(parse_inode_link("socket:[7]", "socket"), 7U);
  for (const char* text : {"", "net", "net:", "net:[", "net:]", "net:[]", "net:[7", "net:7]",
                           "net:[-7]", "net:[7]x", "net:[ 7]", "mnt:[7]", "network:[7]"}) {
    EXPECT_EQ(parse_inode_link(text, "net"), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace acceptq
