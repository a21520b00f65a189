#include "apply/file_change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/file.h"
#include "support/file_tree.h"

namespace acceptq::apply {
namespace {

using testing::HasSubstr;

facts::FileIdentity identity_of(const std::string& path) {
  struct stat status{};
  test::require(::stat(path.c_str(), &status) == 0, "stat");
  return {status.st_dev, status.st_ino};
}

class FileChange : public testing::Test {
 protected:
  FileChange() { tree_.write("a.conf", "old\n"); }

  [[nodiscard]] facts::FileStep step() const {
    return {.path = tree_.path("a.conf"),
            .before = "old\n",
            .identity = identity_of(tree_.path("a.conf")),
            .after = "new\n"};
  }
  [[nodiscard]] std::string text() const {
    return read_file(tree_.path("a.conf")).value_or("(none)");
  }
  [[nodiscard]] std::size_t files() const {
    std::size_t count = 0;
    for (const auto& each : std::filesystem::directory_iterator(tree_.root())) {
      count += each.exists() ? 1 : 0;
    }
    return count;
  }

  test::FileTree tree_;
};

TEST_F(FileChange, IsMadeAndPutBackAndKeepsTheMode) {
  ASSERT_EQ(::chmod(tree_.path("a.conf").c_str(), 0640), 0);
  const facts::FileStep change = step();
  ASSERT_TRUE(change_file(change));
  EXPECT_EQ(text(), "new\n");
  struct stat status{};
  ASSERT_EQ(::stat(tree_.path("a.conf").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0640U);
  ASSERT_TRUE(put_back_file(change));
  EXPECT_EQ(text(), "old\n");
  EXPECT_EQ(files(), 1U);
  EXPECT_TRUE(put_back_file(change)) << "it is as it was already";
}

TEST_F(FileChange, WhatSomebodyElseChangedStays) {
  const facts::FileStep change = step();
  tree_.write("a.conf", "theirs\n");
  EXPECT_THAT(change_file(change).error().message(), HasSubstr("changed by somebody else"));
  EXPECT_FALSE(put_back_file(change));
  EXPECT_EQ(text(), "theirs\n");
}

// The server reads another file of this name, in a root or mount namespace of its own.
TEST_F(FileChange, OnlyTheFileThatWasReadIsChanged) {
  facts::FileStep change = step();
  ++change.identity->inode;
  const Status refused = change_file(change);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(text(), "old\n");
}

TEST_F(FileChange, NoLinkIsFollowed) {
  facts::FileStep change = step();
  tree_.link("b.conf", "a.conf");
  change.path = tree_.path("b.conf");
  EXPECT_FALSE(change_file(change));
  tree_.write("real/c.conf", "old\n");
  tree_.link("linked", "real");
  change.path = tree_.path("linked/c.conf");
  change.identity.reset();
  EXPECT_FALSE(change_file(change));
  EXPECT_EQ(text(), "old\n");
}

TEST_F(FileChange, ANewFileNeverTakesAnothersPlaceAndGoesAgain) {
  facts::FileStep change{.path = tree_.path("new.d/x.conf"), .after = "x\n"};
  ASSERT_TRUE(change_file(change));
  EXPECT_EQ(read_file(change.path), "x\n");
  EXPECT_FALSE(change_file(change)) << "it is there by now";
  ASSERT_TRUE(put_back_file(change));
  EXPECT_FALSE(std::filesystem::exists(change.path));
  change.path = "relative";
  EXPECT_EQ(change_file(change).error().code, ErrorCode::kMalformed);
}

}  // namespace
}  // namespace acceptq::apply
