#include "remedy/live_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace acceptq::remedy {
namespace {

using diagnose::Cause;
using diagnose::CauseKind;
using diagnose::Finding;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kKey = "tcp:4026532567:0.0.0.0:80#bae1";

class LivePolicy : public testing::Test {
 protected:
  LivePolicy() {
    listener_.netns = NetnsId{4026532567};
    listener_.limit = QueueLimit{128};
    told_.key = kKey;
  }

  void find(const char* id, CauseKind kind, double confidence = 0.9) {
    report_.findings.push_back({.id = id,
                                .title = "the threads that accept wait for storage",
                                .listener = kKey,
                                .confidence = confidence,
                                .cause = Cause{.kind = kind}});
  }

  std::vector<Objection> objections(std::uint32_t to, bool listened_again = false,
                                    bool undone_before = false) {
    found_ = live_objections({.report = report_,
                              .told = told_,
                              .listener = listener_,
                              .to = QueueLimit{to},
                              .listened_again = listened_again,
                              .undone_before = undone_before});
    std::vector<Objection> kinds;
    kinds.reserve(found_.size());
    for (const LiveObjection& each : found_) kinds.push_back(each.kind);
    return kinds;
  }

  diagnose::Report report_;
  diagnose::ListenerReport told_;
  facts::Listener listener_;
  std::vector<LiveObjection> found_;
};

TEST_F(LivePolicy, NothingSpeaksAgainstItForABurst) {
  EXPECT_THAT(objections(4096), IsEmpty());
  find("AQ313", CauseKind::kBurst);
  told_.full_fraction = 0.7;
  EXPECT_THAT(objections(4096), IsEmpty());
}

TEST_F(LivePolicy, ACauseComesFirst) {
  find("AQ310", CauseKind::kIoNfs);
  told_.full_fraction = 1;
  EXPECT_THAT(objections(4096), ElementsAre(Objection::kCause));
  EXPECT_THAT(found_[0].text, HasSubstr("the threads that accept wait for storage (AQ310)"));
}

TEST_F(LivePolicy, AnUncertainCauseIsNone) {
  find("AQ310", CauseKind::kIoNfs, 0.5);
  EXPECT_THAT(objections(4096), IsEmpty());
}

TEST_F(LivePolicy, ACauseOfAnotherListenerIsNone) {
  find("AQ310", CauseKind::kIoNfs);
  report_.findings[0].listener = "tcp:4026532567:0.0.0.0:81#1";
  EXPECT_THAT(objections(4096), IsEmpty());
}

TEST_F(LivePolicy, FullAllTheTimeIsSlowAccept) {
  find("AQ314", CauseKind::kUnknown);
  told_.full_fraction = 0.49;
  EXPECT_THAT(objections(4096), IsEmpty());
  told_.full_fraction = 0.97;
  EXPECT_THAT(objections(4096), ElementsAre(Objection::kAlwaysFull));
  EXPECT_THAT(found_[0].text, HasSubstr("full in 97 % of the samples"));
}

TEST_F(LivePolicy, AFloodOfItsNamespace) {
  find("AQ203", CauseKind::kSynFlood);
  EXPECT_THAT(objections(4096), ElementsAre(Objection::kFlood));
  report_.findings[0].listener.reset();
  report_.findings[0].netns = listener_.netns;
  EXPECT_THAT(objections(4096), ElementsAre(Objection::kFlood));
  report_.findings[0].netns = NetnsId{1};
  EXPECT_THAT(objections(4096), IsEmpty());
}

TEST_F(LivePolicy, Sizes) {
  EXPECT_THAT(objections(65535), IsEmpty());
  EXPECT_THAT(objections(65536), ElementsAre(Objection::kTooLarge));
  EXPECT_THAT(objections(128), IsEmpty());
  EXPECT_THAT(objections(127), ElementsAre(Objection::kShorter));
}

TEST_F(LivePolicy, AnOwnerThatSetsItItself) {
  EXPECT_THAT(objections(4096, true), ElementsAre(Objection::kOwnerUndoes));
  EXPECT_THAT(found_[0].text, HasSubstr("listen() again while it was watched"));
  EXPECT_THAT(objections(4096, false, true), ElementsAre(Objection::kOwnerUndoes));
}

}  // namespace
}  // namespace acceptq::remedy
