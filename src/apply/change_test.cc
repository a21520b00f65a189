// Changes of a namespace's sysctl and of files, with real processes to signal.
#include "apply/change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apply/reload_test_support.h"
#include "apply/resize_test_support.h"
#include "base/file.h"
#include "facts/namespace.h"
#include "support/file_tree.h"

namespace acceptq::apply {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class ChangeTest : public ResizeTest {
 protected:
  void SetUp() override {
    ResizeTest::SetUp();
    if (IsSkipped()) return;
    look();
    tree_.write("a.conf", "old\n");
    tree_.write("lib/x", "");
  }

  [[nodiscard]] facts::Change change() const {
    return {.sysctls = {{.netns = ns_->id(), .name = facts::kSomaxconn, .value = 4096}},
            .files = {{.path = tree_.path("a.conf"), .before = "old\n", .after = "new\n"}},
            .limits = {{.netns = ns_->id(), .port = 80, .before = 128}}};
  }
  [[nodiscard]] Surroundings surroundings() {
    return {.entrance = [this](NetnsId) { return entrance(); },
            .limit_now = [this](const facts::ExpectedLimit&) { return limit_; },
            .patience = std::chrono::milliseconds{50},
            .steady = std::chrono::milliseconds{10}};
  }
  ChangeOutcome execute_here(const facts::Change& change) {
    const Result<ChangeJournal> journal = ChangeJournal::Open(lib());
    test::require(journal.has_value(), "journal");
    return execute(change, "this-boot", "as asked", *journal, surroundings());
  }
  ChangeOutcome take_back_here(const facts::KeptChange& kept, const std::string& boot_id) {
    return take_back(kept, boot_id, *ChangeJournal::Open(lib()), surroundings());
  }
  [[nodiscard]] std::string lib() const { return tree_.path("lib"); }
  [[nodiscard]] std::string text() const {
    return read_file(tree_.path("a.conf")).value_or("(none)");
  }

  test::FileTree tree_;
  std::optional<std::uint32_t> limit_ = 128;
};

TEST_F(ChangeTest, IsDoneKeptAndTakenBack) {
  const ChangeOutcome outcome = execute_here(change());
  ASSERT_EQ(outcome.end, ChangeEnd::kDone) << outcome.error->message();
  EXPECT_EQ(somaxconn(), 4096);
  EXPECT_EQ(text(), "new\n");
  EXPECT_EQ(read_file(outcome.kept_in + "/1-a.conf"), "old\n");
  const KeptChanges kept = read_changes(lib());
  EXPECT_THAT(kept.errors, SizeIs(0));
  ASSERT_THAT(kept.changes, SizeIs(1));
  EXPECT_TRUE(kept.changes[0].done);
  EXPECT_EQ(kept.changes[0].change.sysctls[0].before, 128);

  const ChangeOutcome back = take_back_here(kept.changes[0], "this-boot");
  EXPECT_EQ(back.end, ChangeEnd::kDone);
  EXPECT_EQ(somaxconn(), 128);
  EXPECT_EQ(text(), "old\n");
  EXPECT_THAT(read_changes(lib()).changes, SizeIs(0));
}

// Whoever is killed in between leaves what is needed to undo it.
TEST_F(ChangeTest, WhatASysctlWasIsKeptBeforeItIsChanged) {
  Surroundings around = surroundings();
  KeptChanges kept;
  int entered = 0;
  around.entrance = [&](NetnsId) {
    if (++entered == 2) kept = read_changes(lib());  // to write it
    return entrance();
  };
  ASSERT_EQ(execute(change(), "this-boot", "as asked", *ChangeJournal::Open(lib()), around).end,
            ChangeEnd::kDone);
  ASSERT_THAT(kept.changes, SizeIs(1));
  EXPECT_FALSE(kept.changes[0].done);
  EXPECT_EQ(kept.changes[0].change.sysctls[0].before, 128);
}

TEST_F(ChangeTest, AnEarlierBootsSysctlsAreNotTakenBack) {
  ASSERT_EQ(execute_here(change()).end, ChangeEnd::kDone);
  const KeptChanges kept = read_changes(lib());
  ASSERT_THAT(kept.changes, SizeIs(1));
  EXPECT_EQ(take_back_here(kept.changes[0], "next-boot").end, ChangeEnd::kDone);
  EXPECT_EQ(somaxconn(), 4096);
  EXPECT_EQ(text(), "old\n");
}

TEST_F(ChangeTest, AStepThatFailsTakesBackThoseBeforeIt) {
  facts::Change wrong = change();
  wrong.files.push_back(
      {.path = tree_.path("b.conf"), .before = "is not there\n", .after = "new\n"});
  const ChangeOutcome outcome = execute_here(wrong);
  EXPECT_EQ(outcome.end, ChangeEnd::kTakenBack);
  ASSERT_TRUE(outcome.error);
  EXPECT_THAT(outcome.error->message(), HasSubstr("b.conf"));
  EXPECT_EQ(somaxconn(), 128);
  EXPECT_EQ(text(), "old\n");
  EXPECT_THAT(read_changes(lib()).changes, SizeIs(0));
}

TEST_F(ChangeTest, ALimitThatDoesNotComeTakesAllBack) {
  facts::Change hopeful = change();
  hopeful.limits[0].limit = 4096;
  const ChangeOutcome outcome = execute_here(hopeful);
  EXPECT_EQ(outcome.end, ChangeEnd::kTakenBack);
  ASSERT_TRUE(outcome.error);
  EXPECT_THAT(outcome.error->message(),
              HasSubstr("the limit 4096 of port 80 has not come (it is 128)"));
  EXPECT_EQ(somaxconn(), 128);
  EXPECT_EQ(text(), "old\n");
  limit_ = 4096;
  EXPECT_EQ(execute_here(hopeful).end, ChangeEnd::kDone);
}

TEST_F(ChangeTest, AConfigurationWithAFaultIsNeverRead) {
  facts::Change faulty = change();
  const test::Forked server([] { ::pause(); });
  faulty.reloads.push_back(reload_of(server.pid()));
  faulty.reloads[0].check = {"false"};
  EXPECT_EQ(execute_here(faulty).end, ChangeEnd::kTakenBack);
  // Nor is it ended by a signal that it does not catch.
  faulty.reloads[0].check.clear();
  EXPECT_EQ(execute_here(faulty).end, ChangeEnd::kTakenBack);
  EXPECT_EQ(::kill(server.pid(), 0), 0);
  // One that is only checked is not signalled at all.
  faulty.reloads[0].signal = 0;
  EXPECT_EQ(execute_here(faulty).end, ChangeEnd::kDone);
  ASSERT_EQ(take_back_here(read_changes(lib()).changes.at(0), "this-boot").end, ChangeEnd::kDone);
  faulty.reloads[0].check = {"false"};
  EXPECT_EQ(execute_here(faulty).end, ChangeEnd::kTakenBack);
  EXPECT_EQ(text(), "old\n");
}

TEST_F(ChangeTest, WhatSomebodyElseChangedSinceStaysAndIsSaid) {
  ASSERT_EQ(execute_here(change()).end, ChangeEnd::kDone);
  ns_->set("net/core/somaxconn", "2000");
  tree_.write("a.conf", "theirs\n");
  const KeptChanges kept = read_changes(lib());
  ASSERT_THAT(kept.changes, SizeIs(1));
  const ChangeOutcome back = take_back_here(kept.changes[0], "this-boot");
  EXPECT_EQ(back.end, ChangeEnd::kNotTakenBack);
  EXPECT_THAT(back.left, SizeIs(2));
  EXPECT_EQ(somaxconn(), 2000);
  EXPECT_EQ(text(), "theirs\n");
  EXPECT_THAT(read_changes(lib()).changes, SizeIs(1));
}

}  // namespace
}  // namespace acceptq::apply
