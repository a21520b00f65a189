// The live view's listeners: what each row says, in which order, and which are shown. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "diagnose/report.h"
#include "facts/snapshot.h"

namespace acceptq::render {

enum class TopSort { kPain, kRefused, kLength, kFull, kAccepted, kWaited, kName };

// "pain", "refused" …
[[nodiscard]] const char* name_of(TopSort sort);
// The next in the order above, the first behind the last; backwards for `step` -1.
[[nodiscard]] TopSort next_sort(TopSort sort, int step);

// Longest lengths of the last frames, by listener key.
class TopHistory {
 public:
  static constexpr std::size_t kFrames = 60;

  // Listeners that are gone are forgotten.
  void add(const facts::Observation& observation, const diagnose::Report& report);
  // Oldest first; null for a listener that was never seen.
  [[nodiscard]] const std::deque<std::uint32_t>* lengths(const std::string& key) const;

 private:
  std::map<std::string, std::deque<std::uint32_t>> lengths_;
};

struct TopRow {
  std::string key;
  std::string endpoint;  // printable
  std::string whose;     // printable
  diagnose::Verdict verdict = diagnose::Verdict::kUnknown;
  diagnose::LimitSetBy limit_set_by = diagnose::LimitSetBy::kUnknown;
  std::uint32_t length = 0;
  std::optional<std::uint32_t> limit;
  std::uint32_t longest = 0;  // in this frame
  std::optional<double> refused_per_s;
  std::optional<double> accepts_per_s;
  std::optional<double> p50_ms;
  std::optional<double> p99_ms;
  std::optional<double> estimated_wait_ms;
  std::vector<std::uint32_t> trend;  // longest lengths, oldest first
  std::string why;                   // the kind of the greatest cause: "io.nfs"; empty: not known

  [[nodiscard]] double fullness() const;  // of the longest length, 0…1; 0 without a limit
};

struct TopChoice {
  TopSort sort = TopSort::kPain;
  std::string filter;     // a part of endpoint or whose, without regard to case
  bool busy_only = true;  // only those that something came to, or waits at
};

// One for each listener that is chosen, sorted.
[[nodiscard]] std::vector<TopRow> top_rows(const facts::Observation& observation,
                                           const diagnose::Report& report,
                                           const TopHistory& history, const TopChoice& choice);

}  // namespace acceptq::render
