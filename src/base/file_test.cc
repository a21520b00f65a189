#include "base/file.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace acceptq {
namespace {

TEST(ReadFile, ReadsProcFilesThatAnnounceNoSize) {
  const Result<std::string> text = read_file("/proc/self/stat");
  ASSERT_TRUE(text.has_value());
  EXPECT_TRUE(text->starts_with(std::to_string(::getpid())));
}

TEST(ReadFile, SaysWhichFileAndWhy) {
  const Result<std::string> text = read_file("/nonexistent/file");
  ASSERT_FALSE(text.has_value());
  EXPECT_EQ(text.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(text.error().message(), "cannot open /nonexistent/file: No such file or directory");
}

TEST(ReadFile, RefusesMoreThanTheBound) {
  const Result<std::string> text = read_file("/proc/self/stat", 4);
  ASSERT_FALSE(text.has_value());
  EXPECT_EQ(text.error().code, ErrorCode::kTruncated);
}

TEST(ReadLink, DoesNotFollow) {
  const Result<std::string> target = read_link("/proc/self/ns/net");
  ASSERT_TRUE(target.has_value());
  EXPECT_TRUE(target->starts_with("net:["));
}

TEST(WriteSetting, MakesNoFile) {
  const std::string path = testing::TempDir() + "acceptq-no-setting-" + std::to_string(::getpid());
  EXPECT_EQ(write_setting(path, "1").error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(read_file(path));
}

}  // namespace
}  // namespace acceptq
