#include "bundle/bundle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace acceptq::bundle {
namespace {

using testing::ElementsAre;

// printf 'hello\n' | gzip
constexpr std::string_view kGzip(
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\xe7\x02\x00\x20\x30\x3a\x36\x06"
    "\x00\x00\x00",
    26);

TEST(Bundle, ComesBackAsItWas) {
  const std::vector<Entry> entries = {{.name = "manifest.json", .bytes = "{}\n"},
                                      {.name = "a/b.txt", .bytes = std::string("x\0y", 3)},
                                      {.name = "empty", .bytes = ""}};
  const Result<std::string> packed = pack("acceptq-host", entries);
  ASSERT_TRUE(packed) << packed.error().message();
  EXPECT_TRUE(is_packed(*packed));
  EXPECT_EQ(unpack(*packed, "x.tar.zst"), entries);
}

TEST(Bundle, ACompressedFileIsOneEntry) {
  EXPECT_TRUE(is_packed(kGzip));
  EXPECT_EQ(unpack(kGzip, "x.gz"), (std::vector<Entry>{{.name = "x.gz", .bytes = "hello\n"}}));
}

TEST(Bundle, WhatIsNotPackedIsNotSaidToBe) {
  EXPECT_FALSE(is_packed(""));
  EXPECT_FALSE(is_packed("{\"schema\": \"acceptq.observation/1\"}"));
}

TEST(Bundle, NothingUnfoldsWithoutEnd) {
  const Result<std::string> zeros = pack("f", {{.name = "z", .bytes = std::string(1 << 20, '\0')}});
  ASSERT_TRUE(zeros);
  EXPECT_LT(zeros->size(), 10'000U);
  EXPECT_EQ(unpack(*zeros, "z", {.bytes = 1000}).error().code, ErrorCode::kTruncated);
  const Result<std::string> many =
      pack("f", {{.name = "a", .bytes = ""}, {.name = "b", .bytes = ""}});
  ASSERT_TRUE(many);
  EXPECT_EQ(unpack(*many, "z", {.entries = 1}).error().code, ErrorCode::kTruncated);
}

TEST(Bundle, WhatIsDamagedIsSaid) {
  const Result<std::string> packed = pack("f", {{.name = "a", .bytes = std::string(5000, 'x')}});
  ASSERT_TRUE(packed);
  const auto cut = unpack(packed->substr(0, packed->size() / 2), "cut.tar.zst");
  ASSERT_FALSE(cut);
  EXPECT_THAT(cut.error().message(), testing::HasSubstr("cut.tar.zst"));
}

}  // namespace
}  // namespace acceptq::bundle
