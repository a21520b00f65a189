#include "lab/score.h"

#include <gtest/gtest.h>

namespace acceptq::lab {
namespace {

using diagnose::CauseKind;

DiagnoseResult result(Expect expect, std::optional<CauseKind> given,
                      std::vector<std::string> mismatches = {}) {
  return {.line = 9,
          .netns = NetnsId(4026532001),
          .port = 80,
          .expect = std::move(expect),
          .mismatches = std::move(mismatches),
          .cause = given};
}

TEST(Score, GradesEachAnswer) {
  LabOutcome outcome;
  const Expect lock{.causes = {CauseKind::kLock, CauseKind::kSleep}};
  const Expect none{.no_cause = true};
  outcome.diagnoses = {
      result(lock, CauseKind::kLock),    result(lock, CauseKind::kSleep),
      result(lock, CauseKind::kUnknown), result(lock, std::nullopt),
      result(lock, CauseKind::kStopped), result(none, std::nullopt),
      result(none, CauseKind::kUnknown), result({.verdict = "healthy"}, CauseKind::kStopped),
  };
  std::string grades;
  for (const Answer& answer : answers_of(outcome)) {
    grades += answer.expected + "/" + answer.given + "=" +
              std::to_string(static_cast<int>(answer.grade)) + " ";
  }
  EXPECT_EQ(grades,
            "lock/lock=0 lock/sleep=0 lock/unknown=1 lock/none=1 lock/stopped=2 "
            "none/none=0 none/unknown=2 ");
}

TEST(Score, CountsWhatBecomesOfAnswersWithoutEvidence) {
  LabOutcome outcome;
  outcome.diagnoses = {result({.causes = {CauseKind::kLock}}, CauseKind::kLock),
                       result({.no_cause = true}, std::nullopt)};
  outcome.diagnoses[0].ablated = {{"stacks", CauseKind::kUnknown}, {"locks", CauseKind::kSleep}};
  outcome.diagnoses[1].ablated = {{"stacks", std::nullopt}, {"locks", std::nullopt}};
  const std::vector<ScenarioScore> scores = {{.name = "a", .answers = answers_of(outcome)}};
  EXPECT_EQ(ablation_text(scores),
            "without           right  unknown  wrong\n"
            "nothing               2        0      0\n"
            "stacks                1        1      0\n"
            "locks                 1        0      1\n"
            "\n"
            "a                         wrong without locks: expected lock, given sleep\n");
  EXPECT_EQ(totals_of(scores).ablated_wrong, 1U);
  EXPECT_FALSE(totals_of(scores).none_wrong());
  Totals unsure{.right = 1, .unknown = 1};
  EXPECT_TRUE(unsure.none_wrong());
  EXPECT_FALSE(unsure.all_right());
  const auto read = score_from_json(to_json(scores.front()));
  ASSERT_TRUE(read);
  EXPECT_EQ(ablation_text({*read}), ablation_text(scores));
  EXPECT_EQ(ablation_text({{.name = "b", .answers = {{.expected = "lock", .given = "lock"}}}}), "");
}

TEST(Score, CalibratesByConfidence) {
  LabOutcome outcome;
  outcome.diagnoses = {result({.causes = {CauseKind::kLock}}, CauseKind::kLock),
                       result({.causes = {CauseKind::kLock}}, CauseKind::kSleep),
                       result({.causes = {CauseKind::kLock}}, CauseKind::kUnknown),
                       result({.no_cause = true}, std::nullopt)};
  outcome.diagnoses[0].confidence = 0.9;
  outcome.diagnoses[1].confidence = 0.7;
  outcome.diagnoses[0].ablated = {
      {.without = "locks", .cause = CauseKind::kSleep, .confidence = 0.6},
      {.without = "stacks", .cause = CauseKind::kLock, .confidence = 0.8}};
  const ScenarioScore score{.name = "a", .answers = answers_of(outcome)};
  EXPECT_EQ(calibration_text({score}),
            "confidence        right  wrong  without some evidence: right  wrong\n"
            "0.9 and more          1      0                             0      0\n"
            "0.7 to 0.9            0      1                             1      0\n"
            "less than 0.7         0      0                             0      1\n");
  const auto read = score_from_json(to_json(score));
  ASSERT_TRUE(read);
  EXPECT_EQ(calibration_text({*read}), calibration_text({score}));
  EXPECT_EQ(calibration_text({}), "");
}

std::vector<ScenarioScore> sample() {
  LabOutcome good;
  good.diagnoses = {
      result({.causes = {CauseKind::kStopped}}, CauseKind::kStopped),
      result({.no_cause = true}, std::nullopt, {"verdict: expected healthy, got slow"})};
  LabOutcome bad;
  bad.diagnoses = {result({.causes = {CauseKind::kIoFuse}}, CauseKind::kStopped, {"cause: …"})};
  return {{.name = "good", .seconds = 4.5, .answers = answers_of(good)},
          {.name = "bad", .answers = answers_of(bad)},
          {.name = "alien", .skipped = "nginx is not installed"},
          {.name = "broken", .failed = "the step in line 3: no"}};
}

TEST(Score, IsTextAndATable) {
  std::string lines;
  for (const ScenarioScore& score : sample()) lines += score_lines(score);
  EXPECT_EQ(lines,
            "good                      right    expected stopped, given stopped\n"
            "good                      right    expected none, given none\n"
            "                            verdict: expected healthy, got slow\n"
            "bad                       wrong    expected io.fuse, given stopped\n"
            "alien                     skipped: nginx is not installed\n"
            "broken                    failed: the step in line 3: no\n");
  EXPECT_EQ(confusion_text(sample()),
            "                  given\n"
            "expected          stopped  none\n"
            "stopped                 1     .\n"
            "io.fuse                 1     .\n"
            "none                    .     1\n"
            "\n"
            "2 right, 0 unknown, 1 wrong; 1 right but for something else; 1 failed; 1 skipped\n");
}

TEST(Score, IsAllRightOnlyWithoutAnyDifference) {
  EXPECT_FALSE(totals_of(sample()).all_right());
  for (const ScenarioScore& score : sample()) {
    EXPECT_EQ(totals_of({score}).all_right(), score.name == "alien") << score.name;
  }
  EXPECT_EQ(confusion_text({}), "0 right, 0 unknown, 0 wrong\n");
}

TEST(Score, GoesThroughJson) {
  for (const ScenarioScore& score : sample()) {
    const Result<ScenarioScore> read = score_from_json(to_json(score));
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(to_json(*read), to_json(score));
    EXPECT_EQ(score_lines(*read), score_lines(score));
  }
  EXPECT_FALSE(score_from_json(""));
  EXPECT_FALSE(score_from_json("{}"));
  EXPECT_FALSE(score_from_json(R"({"name": 3})"));
}

}  // namespace
}  // namespace acceptq::lab
