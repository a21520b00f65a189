#include "apply/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "collect/resize_journal.h"
#include "support/file_tree.h"

namespace acceptq::apply {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

facts::Listener listener(std::uint64_t cookie) {
  facts::Listener listener;
  listener.netns = NetnsId{1};
  listener.cookie = SocketCookie{cookie};
  return listener;
}

facts::Resize resize(std::uint64_t cookie) {
  return {.boot_id = "b", .netns = NetnsId{1}, .cookie = SocketCookie{cookie}, .why = "AQ101"};
}

TEST(Journal, WhatIsKeptIsReadUntilItIsForgotten) {
  const test::FileTree tree;
  const std::string run = tree.root();
  EXPECT_THAT(collect::read_resize_journal(run).resizes, IsEmpty());
  EXPECT_THAT(collect::read_resize_journal(run).errors, IsEmpty());
  const Result<Journal> journal = Journal::Open(run);
  ASSERT_TRUE(journal) << journal.error().message();
  ASSERT_TRUE(journal->keep(listener(0xa), resize(0xa)));
  ASSERT_TRUE(journal->keep(listener(0xb), resize(0xb)));
  facts::Resize again = resize(0xa);
  again.why = "again";
  ASSERT_TRUE(journal->keep(listener(0xa), again));
  const collect::ResizeJournal read = collect::read_resize_journal(run);
  EXPECT_EQ(read.resizes, (std::vector<facts::Resize>{again, resize(0xb)}));
  struct stat status{};
  ASSERT_EQ(::stat((run + "/acceptq").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0700U);
  ASSERT_TRUE(journal->forget(listener(0xa)));
  EXPECT_TRUE(journal->forget(listener(0xa)));
  EXPECT_EQ(collect::read_resize_journal(run).resizes.size(), 1U);
}

TEST(Journal, AFileThatIsNoneOfOursIsNamed) {
  const test::FileTree tree;
  const std::string run = tree.root();
  const Result<Journal> journal = Journal::Open(run);
  ASSERT_TRUE(journal);
  ASSERT_TRUE(journal->keep(listener(0xa), resize(0xa)));
  std::ofstream(run + "/acceptq/resizes/0-x.json") << "{";
  const collect::ResizeJournal read = collect::read_resize_journal(run);
  EXPECT_EQ(read.resizes.size(), 1U);
  ASSERT_EQ(read.errors.size(), 1U);
  EXPECT_THAT(read.errors[0].message(), HasSubstr("0-x.json: line 1"));
}

TEST(Journal, AFolderOfOthersIsNeitherBelievedNorUsed) {
  const test::FileTree tree;
  const std::string run = tree.root();
  ASSERT_EQ(::mkdir((run + "/acceptq").c_str(), 0700), 0);
  ASSERT_EQ(::mkdir((run + "/acceptq/resizes").c_str(), 0700), 0);
  ASSERT_EQ(::chmod((run + "/acceptq/resizes").c_str(), 0777), 0);
  EXPECT_FALSE(Journal::Open(run));
  std::ofstream(run + "/acceptq/resizes/a.json") << facts::to_json(resize(0xa));
  const collect::ResizeJournal read = collect::read_resize_journal(run);
  EXPECT_THAT(read.resizes, IsEmpty());
  ASSERT_EQ(read.errors.size(), 1U);
  EXPECT_THAT(read.errors[0].message(), HasSubstr("is not believed"));
}

}  // namespace
}  // namespace acceptq::apply
