#include "base/bytes.h"

#include <gtest/gtest.h>

namespace acceptq {
namespace {

TEST(EscapeBytes, GivesValidTextAndComesBack) {
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  for (const std::string& bytes :
       {all, std::string("plain"), std::string("größe 画像"), std::string("a\\x41"),
        std::string("\xff\xfe"), std::string("\xc3"), std::string("\xed\xa0\x80"),
        std::string("\xf4\x90\x80\x80"), std::string("\xc0\xaf")}) {
    EXPECT_EQ(unescape_bytes(escape_bytes(bytes)), bytes);
  }
  EXPECT_EQ(escape_bytes("größe"), "größe");
  EXPECT_EQ(escape_bytes("a\\b\xff"), "a\\\\b\\xff");
}

TEST(UnescapeBytes, RefusesWhatItDidNotWrite) {
  for (const char* bad : {"\\", "\\n", "\\x", "\\x4", "\\xgg"}) {
    EXPECT_EQ(unescape_bytes(bad), std::nullopt) << bad;
  }
}

TEST(Printable, DisarmsTerminals) {
  EXPECT_EQ(printable("\x1b[31mred\x07"), "\\x1b[31mred\\x07");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\xc2\\x9b31m");
  EXPECT_EQ(printable("C:\\ä"), "C:\\ä");
  EXPECT_EQ(printable("a\nb"), "a\\x0ab");
  EXPECT_EQ(printable("txt\u202egpj.exe"), "txt\\xe2\\x80\\xaegpj.exe");
  for (const char* hidden :
       {"\u00ad", "\u061c", "\u200b", "\u200d", "\u2066", "\ufeff", "\U000e0041"}) {
    EXPECT_TRUE(printable(hidden).starts_with("\\x")) << printable(hidden);
  }
  for (const char* shown : {"größe 画像", "שלום", "…–·×≥→", "e\u0301", "\U0001f600"}) {
    EXPECT_EQ(printable(shown), shown);
  }
}

TEST(PrintablePage, KeepsLinesAndOnlyItsOwnColours) {
  EXPECT_EQ(printable_page("\x1b[31;1mred\x1b[0m\n", true), "\x1b[31;1mred\x1b[0m\n");
  EXPECT_EQ(printable_page("\x1b[31;1mred\x1b[0m\n", false), "\\x1b[31;1mred\\x1b[0m\n");
  EXPECT_EQ(printable_page("\x1b[2J\x1b]0;title\x07\x1b[", true),
            "\\x1b[2J\\x1b]0;title\\x07\\x1b[");
  EXPECT_EQ(printable_page("a\tb\n", false), "a\tb\n");
  EXPECT_EQ(printable_page("a\rb\u202e\xff", true), "a\\x0db\\xe2\\x80\\xae\\xff");
}

TEST(PrintableJson, IsTheSameJson) {
  EXPECT_EQ(printable_json("{\n \"größe…\": 1\n}\n"), "{\n \"größe…\": 1\n}\n");
  EXPECT_EQ(printable_json("\"\x7f\u202e\U000e0041\""), "\"\\u007f\\u202e\\udb40\\udc41\"");
}

}  // namespace
}  // namespace acceptq
