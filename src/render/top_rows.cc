#include "render/top_rows.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <tuple>

#include "base/bytes.h"
#include "render/listener_names.h"

namespace acceptq::render {
namespace {

constexpr const char* kSorts[] = {"pain",     "refused", "length", "full",
                                  "accepted", "waited",  "name"};

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

bool is_busy(const TopRow& row) {
  const bool told =
      row.verdict < diagnose::Verdict::kHealthy && row.verdict != diagnose::Verdict::kUnknown;
  return told || row.longest > 0 || row.refused_per_s.value_or(0) > 0 ||
         row.accepts_per_s.value_or(0) > 0;
}

// Larger is worse. What is equal goes by name, so that rows do not dance.
auto rank(const TopRow& row, TopSort sort) {
  using Rank = std::tuple<double, double, double>;
  const double refused = row.refused_per_s.value_or(0);
  switch (sort) {
    case TopSort::kPain:
      return Rank(-static_cast<double>(row.verdict), refused, row.fullness());
    case TopSort::kRefused:
      return Rank(refused, row.fullness(), 0);
    case TopSort::kLength:
      return Rank(row.longest, refused, 0);
    case TopSort::kFull:
      return Rank(row.fullness(), refused, 0);
    case TopSort::kAccepted:
      return Rank(row.accepts_per_s.value_or(0), refused, 0);
    case TopSort::kWaited:
      return Rank(row.p99_ms.value_or(row.estimated_wait_ms.value_or(0)), refused, 0);
    case TopSort::kName:
      break;
  }
  return Rank(0, 0, 0);
}

TopRow row_of(const facts::Observation& observation, const Twins& twins,
              const facts::Listener& listener, const diagnose::ListenerReport& report,
              const TopHistory& history) {
  TopRow row{.key = report.key,
             .endpoint = printable(facts::listener_endpoint(listener)),
             .whose = printable(twins.workload_name(listener)),
             .verdict = report.verdict,
             .limit_set_by = report.limit_set_by,
             .length = listener.accept_queue_len.value(),
             .longest = report.longest.value(),
             .accepts_per_s = report.accepts_per_s};
  if (listener.limit) row.limit = listener.limit->value();
  if (report.refused.total && observation.seconds > 0) {
    row.refused_per_s = static_cast<double>(*report.refused.total) / observation.seconds;
  }
  if (report.time_in_queue) {
    row.p50_ms = report.time_in_queue->p50_ms;
    row.p99_ms = report.time_in_queue->p99_ms;
  }
  row.estimated_wait_ms = report.estimated_wait_ms;
  if (const auto* lengths = history.lengths(report.key)) {
    row.trend.assign(lengths->begin(), lengths->end());
  }
  return row;
}

// By listener key, the kind of the cause that comes first: findings are sorted.
std::map<std::string_view, std::string> kinds_by_listener(const diagnose::Report& report) {
  std::map<std::string_view, std::string> kinds;
  for (const diagnose::Finding& finding : report.findings) {
    if (!finding.listener || !diagnose::says_why(finding)) continue;
    kinds.emplace(*finding.listener, diagnose::cause_name(finding.cause->kind));
  }
  return kinds;
}

}  // namespace

const char* name_of(TopSort sort) { return kSorts[static_cast<std::size_t>(sort)]; }

TopSort next_sort(TopSort sort, int step) {
  constexpr int kCount = static_cast<int>(std::size(kSorts));
  return static_cast<TopSort>((static_cast<int>(sort) + step + kCount) % kCount);
}

void TopHistory::add(const facts::Observation& observation, const diagnose::Report& report) {
  std::set<std::string> present;
  for (const diagnose::ListenerReport& listener : report.listeners) {
    present.insert(listener.key);
    std::deque<std::uint32_t>& lengths = lengths_[listener.key];
    // The longest of this frame alone: the ledger's is that of all time.
    std::uint32_t longest = 0;
    const auto samples = observation.samples.find(listener.key);
    if (samples != observation.samples.end()) longest = samples->second.longest.value();
    lengths.push_back(longest);
    if (lengths.size() > kFrames) lengths.pop_front();
  }
  for (std::size_t i = 0; i < report.listeners.size(); ++i) {
    const auto now = observation.after.listeners[i].accept_queue_len.value();
    std::uint32_t& last = lengths_[report.listeners[i].key].back();
    last = std::max(last, now);
  }
  std::erase_if(lengths_, [&](const auto& entry) { return !present.contains(entry.first); });
}

const std::deque<std::uint32_t>* TopHistory::lengths(const std::string& key) const {
  const auto found = lengths_.find(key);
  return found != lengths_.end() ? &found->second : nullptr;
}

double TopRow::fullness() const {
  if (!limit) return 0;
  return std::min(1.0, longest / (double{1} + *limit));
}

std::vector<TopRow> top_rows(const facts::Observation& observation, const diagnose::Report& report,
                             const TopHistory& history, const TopChoice& choice) {
  std::vector<TopRow> rows;
  const std::string wanted = lower(choice.filter);
  const auto kinds = kinds_by_listener(report);
  const Twins twins(observation.after);
  for (std::size_t i = 0; i < report.listeners.size(); ++i) {
    TopRow row =
        row_of(observation, twins, observation.after.listeners[i], report.listeners[i], history);
    if (!row.trend.empty()) row.longest = row.trend.back();
    if (const auto kind = kinds.find(row.key); kind != kinds.end()) row.why = kind->second;
    const bool is_wanted = lower(row.endpoint).find(wanted) != std::string::npos ||
                           lower(row.whose).find(wanted) != std::string::npos;
    if (is_wanted && (!choice.busy_only || is_busy(row))) rows.push_back(std::move(row));
  }
  std::ranges::sort(rows, [&](const TopRow& a, const TopRow& b) {
    return std::tuple(rank(b, choice.sort), a.whose, a.endpoint, a.key) <
           std::tuple(rank(a, choice.sort), b.whose, b.endpoint, b.key);
  });
  return rows;
}

}  // namespace acceptq::render
