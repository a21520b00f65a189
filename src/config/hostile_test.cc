// Includes without end, in every language that has them: bounded, and refused with a place.
#include <gtest/gtest.h>

#include <string>

#include "config/servers.h"
#include "config/test_support.h"

namespace acceptq::config {
namespace {

struct Language {
  const char* name;
  Invocation how;
  std::string main;
  std::string before;  // the name in a line that includes a file
  std::string after;
};

const Language kLanguages[] = {
    {"nginx", {"/usr/sbin/nginx", {"nginx", "-c", "/x/0"}, "/"}, "/x/0", "include ", ";\n"},
    {"apache", {"/usr/sbin/apache2", {"apache2", "-f", "/x/0"}, "/"}, "/x/0", "Include ", "\n"},
    {"lighttpd", {"/usr/sbin/lighttpd", {"l", "-f", "/x/0"}, "/"}, "/x/0", "include \"", "\"\n"},
    {"php_fpm", {"/usr/sbin/php-fpm", {"php-fpm", "-y", "/x/0"}, "/"}, "/x/0", "include=", "\n"},
    {"redis", {"/usr/bin/redis-server", {"redis-server", "/x/0"}, "/"}, "/x/0", "include ", "\n"},
    {"mysql",
     {"/usr/sbin/mariadbd", {"m", "--defaults-file=/x/0"}, "/"},
     "/x/0",
     "!include ",
     "\n"},
    {"named", {"/usr/sbin/named", {"named", "-c", "/x/0"}, "/"}, "/x/0", "include \"", "\";\n"},
};

class HostileConfig : public testing::TestWithParam<Language> {
 protected:
  [[nodiscard]] static std::string include(const std::string& name) {
    return GetParam().before + name + GetParam().after;
  }

  // The error's text. Counts what is read.
  std::string error_of(const test::Tree& tree) {
    const ReadFiles from = test::reader_of(tree);
    const auto edit = plan_edit(GetParam().how, test::wish_for("0.0.0.0", 80, 9),
                                [&](const std::string& pattern) {
                                  auto files = from(pattern);
                                  if (files) read_ += files->size();
                                  return files;
                                });
    return edit ? "an edit" : edit.error().message();
  }

  std::size_t read_ = 0;
};

TEST_P(HostileConfig, OfAFileThatIncludesItselfEnds) {
  EXPECT_TRUE(error_of({{"/x/0", "\n" + include("/x/0")}}).starts_with("/x/0:2: ")) << read_;
  EXPECT_LE(read_, kMaxIncludeDepth + 2);
}

// Each of two: 2^32 files, were the depth alone bounded.
TEST_P(HostileConfig, OfFilesThatIncludeEachOtherTwiceEnds) {
  const std::string both = include("/x/0") + include("/x/1");
  EXPECT_NE(error_of({{"/x/0", both}, {"/x/1", both}}), "an edit");
  EXPECT_LE(read_, kMaxIncludedFiles + 2);
}

TEST_P(HostileConfig, OfALongChainEnds) {
  test::Tree tree;
  for (int i = 0; i < 2000; ++i) {
    tree["/x/" + std::to_string(i)] = include("/x/" + std::to_string(i + 1));
  }
  const std::string error = error_of(tree);
  EXPECT_TRUE(error.starts_with("/x/") && error.find(":1: ") != std::string::npos) << error;
  EXPECT_LE(read_, kMaxIncludeDepth + 2);
}

// What is no text of its language is refused or has nothing of the listener; it is not read past.
TEST_P(HostileConfig, OfAnyBytesEnds) {
  std::string bytes;
  for (int i = 1; i < 256; ++i) bytes += static_cast<char>(i);
  std::string large(std::size_t{1} << 20, 'x');  // one line, as long as a file may be
  for (const std::string& text : {bytes, large, std::string(100000, '{'), std::string(100000, '"'),
                                  std::string(100000, '\\')}) {
    const std::string error = error_of({{"/x/0", text}});
    EXPECT_FALSE(error.empty());
  }
}

INSTANTIATE_TEST_SUITE_P(All, HostileConfig, testing::ValuesIn(kLanguages),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace acceptq::config
