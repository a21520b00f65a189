// How often the diagnosis names the true cause, over scenarios that say what it is. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "lab/lab.h"

namespace acceptq::lab {

// kUnknown: no cause was named though there is one, or it was said that it is unknown.
enum class Grade : std::uint8_t { kRight, kUnknown, kWrong };

// The answer to the same without one kind of evidence.
struct AblatedAnswer {
  std::string without;
  std::string given;
  double confidence = 0;  // of what was given
  Grade grade = Grade::kRight;
};

// What one `diagnose` step asked and was answered. Kinds of causes are words; "none" is one.
struct Answer {
  int line = 0;  // of the step in its file
  std::uint16_t port = 0;
  std::uint64_t netns = 0;
  std::string expected;  // the true kind
  std::string given;
  double confidence = 0;  // of what was given; 0: no cause was
  Grade grade = Grade::kRight;
  std::vector<std::string> mismatches;  // of all that was expected
  std::string recording;                // a file; empty: none was kept
  std::vector<AblatedAnswer> ablated;   // empty: not asked for
};

struct ScenarioScore {
  std::string name;
  double seconds = 0;
  std::string skipped;  // why it cannot run here
  std::string failed;   // why it did not come to its end
  std::vector<Answer> answers;
};

struct Totals {
  std::size_t right = 0, unknown = 0, wrong = 0;
  std::size_t not_as_expected = 0;  // of the right ones: something else was not
  std::size_t skipped = 0, failed = 0;
  std::size_t ablated_wrong = 0;

  // What was skipped is neither.
  [[nodiscard]] bool none_wrong() const {
    return wrong + not_as_expected + failed + ablated_wrong == 0;
  }
  [[nodiscard]] bool all_right() const { return unknown == 0 && none_wrong(); }
};

// Those of an outcome that expect a cause, or none.
[[nodiscard]] std::vector<Answer> answers_of(const LabOutcome& outcome);

[[nodiscard]] Totals totals_of(const std::vector<ScenarioScore>& scores);

// One line for each answer, and for a scenario without one.
[[nodiscard]] std::string score_lines(const ScenarioScore& score);

// The kinds that were expected against those that were given, with the totals below.
[[nodiscard]] std::string confusion_text(const std::vector<ScenarioScore>& scores);

// How the grades change without each kind of evidence, and which answers are wrong then. Empty
// where no answer was ablated.
[[nodiscard]] std::string ablation_text(const std::vector<ScenarioScore>& scores);

// How many of the causes that were named are right and wrong, by the confidence they were named
// with. Empty where none was.
[[nodiscard]] std::string calibration_text(const std::vector<ScenarioScore>& scores);

// Schema acceptq.lab_score/1.
[[nodiscard]] std::string score_json(const std::vector<ScenarioScore>& scores);

// One scenario's part of that, and back.
[[nodiscard]] std::string to_json(const ScenarioScore& score);
[[nodiscard]] Result<ScenarioScore> score_from_json(std::string_view text);

}  // namespace acceptq::lab
