// The journal around a resize, on real sockets.
#include "apply/live_change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "apply/resize_test_support.h"
#include "collect/resize_journal.h"
#include "support/file_tree.h"

namespace acceptq::apply {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class LiveChange : public ResizeTest {
 protected:
  void SetUp() override {
    ResizeTest::SetUp();
    if (!ns_) return;
    scanner_ = collect::Scanner({.run_root = tree_.root()});
    ns_->run([&] { server_ = test::listen_tcp("127.0.0.1", 8080, 5); });
  }

  std::vector<facts::Resize> journal() {
    return collect::read_resize_journal(tree_.root()).resizes;
  }

  LiveOutcome change(std::uint32_t limit) {
    const facts::Snapshot seen = look();
    Result<ResizePlan> plan = plan_resize(seen, seen.listeners.at(0), QueueLimit{limit});
    test::require(plan.has_value(), "plan");
    plan->afterwards = afterwards_;
    return change_live(seen, *plan, entrance(), journal(), *Journal::Open(tree_.root()), "AQ101");
  }

  UndoOutcome undo() {
    const facts::Snapshot seen = look();
    const std::vector<Undo> undos = {{.listener = seen.listeners.at(0), .resize = journal().at(0)}};
    return undo_live(seen, undos, entrance(), *Journal::Open(tree_.root()));
  }

  test::FileTree tree_;
  UniqueFd server_;
};

TEST_F(LiveChange, IsKeptSeenByAScanAndUndone) {
  EXPECT_EQ(look().listeners.at(0).resized_from, std::nullopt);
  ASSERT_TRUE(change(1000).resize.done());
  ASSERT_THAT(journal(), SizeIs(1));
  const facts::Resize kept = journal()[0];
  EXPECT_EQ(kept.before, QueueLimit{5});
  EXPECT_EQ(kept.after, QueueLimit{1000});
  EXPECT_TRUE(kept.done);
  EXPECT_EQ(kept.somaxconn,
            (facts::RaisedSysctl{.before = 128, .raised_to = 1000, .put_back = true}));
  EXPECT_EQ(kept.why, "AQ101");
  EXPECT_EQ(look().listeners.at(0).resized_from, QueueLimit{5});
  // Once more: the way back leads to what the server had chosen.
  ASSERT_TRUE(change(2000).resize.done());
  EXPECT_EQ(journal().at(0).before, QueueLimit{5});
  const UndoOutcome undone = undo();
  ASSERT_TRUE(undone.live.resize.done());
  EXPECT_FALSE(undone.somaxconn);
  EXPECT_EQ(look().listeners.at(0).limit, QueueLimit{5});
  EXPECT_EQ(look().listeners.at(0).resized_from, std::nullopt);
  EXPECT_THAT(journal(), IsEmpty());
}

TEST_F(LiveChange, AKeptSomaxconnIsUndoneAsWell) {
  afterwards_ = RaisedSomaxconn::Afterwards::kKeep;
  ASSERT_TRUE(change(1000).resize.done());
  ASSERT_TRUE(change(2000).resize.done());
  EXPECT_EQ(somaxconn(), 2000);
  const UndoOutcome undone = undo();
  ASSERT_TRUE(undone.live.resize.done());
  ASSERT_TRUE(undone.somaxconn);
  EXPECT_EQ(undone.somaxconn->end, SomaxconnEnd::kPutBack);
  EXPECT_EQ(somaxconn(), 128);
}

TEST_F(LiveChange, WhatTheServerHasSetSinceStays) {
  ASSERT_TRUE(change(1000).resize.done());
  test::require(::listen(server_.get(), 7) == 0, "listen");
  EXPECT_EQ(look().listeners.at(0).resized_from, std::nullopt);
  const UndoOutcome undone = undo();
  EXPECT_FALSE(undone.live.resize.done());
  EXPECT_THAT(undone.live.resize.members.at(0).error->message(), HasSubstr("is 7 by now"));
  EXPECT_EQ(look().listeners.at(0).limit, QueueLimit{7});
  // The next change goes back to what it is now.
  ASSERT_TRUE(change(1000).resize.done());
  EXPECT_EQ(journal().at(0).before, QueueLimit{7});
}

// Killed when somaxconn was raised and before listen() was called.
TEST_F(LiveChange, WhatWasBegunAndNotDoneIsPutInOrder) {
  const facts::Snapshot seen = look();
  const Result<Journal> kept = Journal::Open(tree_.root());
  facts::Resize begun{.boot_id = seen.host.boot_id,
                      .netns = ns_->id(),
                      .address = seen.listeners.at(0).address,
                      .port = 8080,
                      .cookie = seen.listeners.at(0).cookie,
                      .inode = seen.listeners.at(0).inode,
                      .before = QueueLimit{5},
                      .after = QueueLimit{1000},
                      .somaxconn = facts::RaisedSysctl{.before = 128, .raised_to = 1000}};
  ASSERT_TRUE(kept->keep(seen.listeners.at(0), begun));
  ns_->set("net/core/somaxconn", "1000");
  const UndoOutcome undone = undo();
  EXPECT_TRUE(undone.live.resize.done());
  EXPECT_EQ(somaxconn(), 128);
  EXPECT_EQ(look().listeners.at(0).limit, QueueLimit{5});
  EXPECT_THAT(journal(), IsEmpty());
}

TEST_F(LiveChange, NothingIsKeptOfWhatCouldNotBeDone) {
  facts::Snapshot seen = look();
  for (facts::Process& process : seen.processes) process.start_ticks += 1;
  const Result<ResizePlan> plan = plan_resize(seen, seen.listeners.at(0), QueueLimit{1000});
  const LiveOutcome outcome =
      change_live(seen, *plan, entrance(), {}, *Journal::Open(tree_.root()), "AQ101");
  EXPECT_FALSE(outcome.resize.done());
  EXPECT_THAT(outcome.journal_errors, IsEmpty());
  EXPECT_THAT(journal(), IsEmpty());
  EXPECT_EQ(somaxconn(), 128);
}

}  // namespace
}  // namespace acceptq::apply
