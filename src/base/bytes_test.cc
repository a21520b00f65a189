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
}

}  // namespace
}  // namespace acceptq
