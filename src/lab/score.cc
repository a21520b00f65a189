#include "lab/score.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "diagnose/cause_kind.h"

namespace acceptq::lab {
namespace {

using Json = nlohmann::json;

constexpr const char* kNone = "none";
constexpr int kName = 26;  // the column of names of scenarios
constexpr std::array<const char*, 3> kGrades = {"right", "unknown", "wrong"};

const char* grade_name(Grade grade) { return kGrades.at(static_cast<std::size_t>(grade)); }

Grade grade_of(const Expect& expect, std::optional<diagnose::CauseKind> cause) {
  using diagnose::CauseKind;
  if (!cause) return expect.no_cause ? Grade::kRight : Grade::kUnknown;
  const std::vector<CauseKind>& fitting = expect.causes;
  if (std::ranges::find(fitting, *cause) != fitting.end()) return Grade::kRight;
  return *cause == CauseKind::kUnknown && !expect.no_cause ? Grade::kUnknown : Grade::kWrong;
}

std::string word_of(std::optional<diagnose::CauseKind> cause) {
  return cause ? std::string(diagnose::cause_name(*cause)) : kNone;
}

std::optional<Grade> grade_named(const std::string& name) {
  const auto grade = std::ranges::find(kGrades, name);
  if (grade == kGrades.end()) return std::nullopt;
  return static_cast<Grade>(grade - kGrades.begin());
}

struct Counts {
  std::size_t right = 0, unknown = 0, wrong = 0;

  void add(Grade grade) {
    right += grade == Grade::kRight ? 1 : 0;
    unknown += grade == Grade::kUnknown ? 1 : 0;
    wrong += grade == Grade::kWrong ? 1 : 0;
  }
};

Json json_of(const AblatedAnswer& answer) {
  return {{"without", answer.without},
          {"given", answer.given},
          {"confidence", answer.confidence},
          {"grade", grade_name(answer.grade)}};
}

Json json_of(const ScenarioScore& score) {
  Json answers = Json::array();
  for (const Answer& answer : score.answers) {
    Json ablated = Json::array();
    for (const AblatedAnswer& less : answer.ablated) ablated.push_back(json_of(less));
    answers.push_back({{"line", answer.line},
                       {"port", answer.port},
                       {"netns", answer.netns},
                       {"expected", answer.expected},
                       {"given", answer.given},
                       {"confidence", answer.confidence},
                       {"grade", grade_name(answer.grade)},
                       {"mismatches", answer.mismatches},
                       {"recording", answer.recording.empty() ? Json() : Json(answer.recording)},
                       {"ablated", std::move(ablated)}});
  }
  return {{"name", score.name},
          {"seconds", score.seconds},
          {"skipped", score.skipped.empty() ? Json() : Json(score.skipped)},
          {"failed", score.failed.empty() ? Json() : Json(score.failed)},
          {"answers", std::move(answers)}};
}

std::string dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string text_of(const Json& json, const char* name) {
  return json.at(name).is_null() ? std::string() : json.at(name).get<std::string>();
}

// In the order of the vocabulary, "none" last; only those that `counts` has.
std::vector<std::string> kinds_in_order(const std::map<std::string, std::size_t>& counts) {
  std::vector<std::string> kinds = diagnose::cause_names();
  kinds.emplace_back(kNone);
  std::erase_if(kinds, [&](const std::string& kind) { return counts.count(kind) == 0; });
  return kinds;
}

}  // namespace

std::vector<Answer> answers_of(const LabOutcome& outcome) {
  std::vector<Answer> answers;
  for (const DiagnoseResult& result : outcome.diagnoses) {
    if (!result.expect.no_cause && result.expect.causes.empty()) continue;
    answers.push_back({.line = result.line,
                       .port = result.port,
                       .netns = result.netns.value(),
                       .expected = result.expect.no_cause ? kNone
                                                          : std::string(diagnose::cause_name(
                                                                result.expect.causes.front())),
                       .given = word_of(result.cause),
                       .confidence = result.confidence,
                       .grade = grade_of(result.expect, result.cause),
                       .mismatches = result.mismatches,
                       .recording = result.recording});
    for (const Ablated& less : result.ablated) {
      answers.back().ablated.push_back({.without = less.without,
                                        .given = word_of(less.cause),
                                        .confidence = less.confidence,
                                        .grade = grade_of(result.expect, less.cause)});
    }
  }
  return answers;
}

Totals totals_of(const std::vector<ScenarioScore>& scores) {
  Totals totals;
  Counts counts;
  for (const ScenarioScore& score : scores) {
    totals.skipped += score.skipped.empty() ? 0 : 1;
    totals.failed += score.failed.empty() ? 0 : 1;
    for (const Answer& answer : score.answers) {
      counts.add(answer.grade);
      for (const AblatedAnswer& less : answer.ablated) {
        if (less.grade == Grade::kWrong) ++totals.ablated_wrong;
      }
      if (answer.grade == Grade::kRight && !answer.mismatches.empty()) ++totals.not_as_expected;
    }
  }
  totals.right = counts.right;
  totals.unknown = counts.unknown;
  totals.wrong = counts.wrong;
  return totals;
}

std::string score_lines(const ScenarioScore& score) {
  std::string text;
  const auto line = [&](const std::string& what) {
    text += fmt::format("{:<{}} {}\n", score.name, kName - 1, what);
  };
  for (const Answer& answer : score.answers) {
    line(fmt::format("{:<8} expected {}, given {}", grade_name(answer.grade), answer.expected,
                     answer.given));
    for (const std::string& mismatch : answer.mismatches) {
      // The line above says it.
      if (!mismatch.starts_with("cause:")) {
        text += fmt::format("{:<{}}  {}\n", "", kName, mismatch);
      }
    }
  }
  if (!score.skipped.empty()) line("skipped: " + score.skipped);
  if (!score.failed.empty()) line("failed: " + score.failed);
  if (text.empty()) line("no diagnosis");
  return text;
}

std::string confusion_text(const std::vector<ScenarioScore>& scores) {
  std::map<std::string, std::size_t> expected;
  std::map<std::string, std::size_t> given;
  std::map<std::pair<std::string, std::string>, std::size_t> both;
  for (const ScenarioScore& score : scores) {
    for (const Answer& answer : score.answers) {
      ++expected[answer.expected];
      ++given[answer.given];
      ++both[{answer.expected, answer.given}];
    }
  }
  std::string text;
  if (!expected.empty()) {
    constexpr int kFirst = 18;
    text += fmt::format("{:<{}}given\n{:<{}}", "", kFirst, "expected", kFirst);
    for (const std::string& kind : kinds_in_order(given)) text += kind + "  ";
    text.resize(text.find_last_not_of(' ') + 1);
    text += '\n';
    for (const std::string& row : kinds_in_order(expected)) {
      text += fmt::format("{:<{}}", row, kFirst);
      for (const std::string& column : kinds_in_order(given)) {
        const auto found = both.find({row, column});
        const std::string count = found == both.end() ? "." : std::to_string(found->second);
        text += fmt::format("{:>{}}  ", count, column.size());
      }
      text.resize(text.find_last_not_of(' ') + 1);
      text += '\n';
    }
    text += '\n';
  }
  const Totals totals = totals_of(scores);
  text += fmt::format("{} right, {} unknown, {} wrong", totals.right, totals.unknown, totals.wrong);
  if (totals.not_as_expected > 0) {
    text += fmt::format("; {} right but for something else", totals.not_as_expected);
  }
  if (totals.failed > 0) text += fmt::format("; {} failed", totals.failed);
  if (totals.skipped > 0) text += fmt::format("; {} skipped", totals.skipped);
  return text + "\n";
}

std::string ablation_text(const std::vector<ScenarioScore>& scores) {
  std::vector<std::pair<std::string, Counts>> rows = {{"nothing", {}}};
  std::string wrong;
  for (const ScenarioScore& score : scores) {
    for (const Answer& answer : score.answers) {
      rows.front().second.add(answer.grade);
      for (const AblatedAnswer& less : answer.ablated) {
        auto row = std::ranges::find(rows, less.without, &std::pair<std::string, Counts>::first);
        if (row == rows.end()) row = rows.insert(rows.end(), {less.without, {}});
        row->second.add(less.grade);
        if (less.grade != Grade::kWrong) continue;
        wrong += fmt::format("{:<{}} wrong without {}: expected {}, given {}\n", score.name,
                             kName - 1, less.without, answer.expected, less.given);
      }
    }
  }
  if (rows.size() == 1) return {};
  std::string text = fmt::format("{:<18}right  unknown  wrong\n", "without");
  for (const auto& [name, counts] : rows) {
    text += fmt::format("{:<18}{:>5}  {:>7}  {:>5}\n", name, counts.right, counts.unknown,
                        counts.wrong);
  }
  return text + (wrong.empty() ? "" : "\n") + wrong;
}

std::string calibration_text(const std::vector<ScenarioScore>& scores) {
  struct Bucket {
    const char* name;
    double from;
    Counts all, ablated;
  };
  std::array<Bucket, 3> buckets = {
      {{"0.9 and more", 0.9, {}, {}}, {"0.7 to 0.9", 0.7, {}, {}}, {"less than 0.7", 0, {}, {}}}};
  const auto bucket_of = [&](double confidence) -> Bucket& {
    return *std::ranges::find_if(buckets,
                                 [&](const Bucket& bucket) { return confidence >= bucket.from; });
  };
  const auto names_a_cause = [](const std::string& given) {
    return given != kNone && given != diagnose::cause_name(diagnose::CauseKind::kUnknown);
  };
  bool any = false;
  for (const ScenarioScore& score : scores) {
    for (const Answer& answer : score.answers) {
      if (names_a_cause(answer.given)) {
        bucket_of(answer.confidence).all.add(answer.grade);
        any = true;
      }
      for (const AblatedAnswer& less : answer.ablated) {
        if (!names_a_cause(less.given)) continue;
        bucket_of(less.confidence).ablated.add(less.grade);
        any = true;
      }
    }
  }
  if (!any) return {};
  std::string text = "confidence        right  wrong  without some evidence: right  wrong\n";
  for (const Bucket& bucket : buckets) {
    text += fmt::format("{:<18}{:>5}  {:>5}  {:>28}  {:>5}\n", bucket.name, bucket.all.right,
                        bucket.all.wrong, bucket.ablated.right, bucket.ablated.wrong);
  }
  return text;
}

std::string score_json(const std::vector<ScenarioScore>& scores) {
  const Totals totals = totals_of(scores);
  Json scenarios = Json::array();
  for (const ScenarioScore& score : scores) scenarios.push_back(json_of(score));
  return dump({{"schema", "acceptq.lab_score/1"},
               {"scenarios", std::move(scenarios)},
               {"totals",
                {{"right", totals.right},
                 {"unknown", totals.unknown},
                 {"wrong", totals.wrong},
                 {"not_as_expected", totals.not_as_expected},
                 {"ablated_wrong", totals.ablated_wrong},
                 {"failed", totals.failed},
                 {"skipped", totals.skipped}}}},
              2) +
         "\n";
}

std::string to_json(const ScenarioScore& score) { return dump(json_of(score), -1); }

Result<ScenarioScore> score_from_json(std::string_view text) {
  // nlohmann throws; nothing of it leaves this function.
  try {
    const Json json = Json::parse(text);
    ScenarioScore score{.name = json.at("name"),
                        .seconds = json.at("seconds"),
                        .skipped = text_of(json, "skipped"),
                        .failed = text_of(json, "failed")};
    for (const Json& answer : json.at("answers")) {
      const auto grade = grade_named(answer.at("grade"));
      if (!grade) return fail(ErrorCode::kMalformed, "no such grade");
      score.answers.push_back({.line = answer.at("line"),
                               .port = answer.at("port"),
                               .netns = answer.at("netns"),
                               .expected = answer.at("expected"),
                               .given = answer.at("given"),
                               .confidence = answer.at("confidence"),
                               .grade = *grade,
                               .mismatches = answer.at("mismatches"),
                               .recording = text_of(answer, "recording")});
      for (const Json& less : answer.at("ablated")) {
        const auto ablated_grade = grade_named(less.at("grade"));
        if (!ablated_grade) return fail(ErrorCode::kMalformed, "no such grade");
        score.answers.back().ablated.push_back({.without = less.at("without"),
                                                .given = less.at("given"),
                                                .confidence = less.at("confidence"),
                                                .grade = *ablated_grade});
      }
    }
    return score;
  } catch (const Json::exception& exception) {
    return fail(ErrorCode::kMalformed, exception.what());
  }
}

}  // namespace acceptq::lab
