#include "render/names.h"

#include <fmt/format.h>
#include <array>

#include <ctime>

namespace acceptq::render {
namespace {

template <typename Word>
std::vector<std::string> names_up_to(Word last) {
  std::vector<std::string> names;
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    names.emplace_back(name_of(static_cast<Word>(i)));
  }
  return names;
}

}  // namespace

const char* name_of(diagnose::Verdict verdict) {
  using enum diagnose::Verdict;
  switch (verdict) {
    case kOverflowing:
      return "overflowing";
    case kSlow:
      return "slow";
    case kDroppedElsewhere:
      return "dropped_elsewhere";
    case kFailing:
      return "failing";
    case kAtRisk:
      return "at_risk";
    case kUnknown:
      return "unknown";
    case kOverflowed:
      return "overflowed";
    case kHealthy:
      return "healthy";
  }
  return "unknown";
}

const char* name_of(diagnose::Severity severity) {
  using enum diagnose::Severity;
  switch (severity) {
    case kNotice:
      return "notice";
    case kWarning:
      return "warning";
    case kCritical:
      return "critical";
  }
  return "notice";
}

const char* name_of(diagnose::LimitSetBy by) {
  using enum diagnose::LimitSetBy;
  switch (by) {
    case kSomaxconn:
      return "somaxconn";
    case kApplication:
      return "application";
    case kKernel:
      return "kernel";
    case kAcceptq:
      return "acceptq";
    case kUnknown:
      return "unknown";
  }
  return "unknown";
}

const char* name_of(diagnose::Cookies cookies) {
  using enum diagnose::Cookies;
  switch (cookies) {
    case kOff:
      return "off";
    case kWhenFull:
      return "when_full";
    case kAlways:
      return "always";
  }
  return "off";
}

std::vector<std::string> verdict_names() { return names_up_to(diagnose::Verdict::kHealthy); }

std::vector<std::string> limit_set_by_names() {
  return names_up_to(diagnose::LimitSetBy::kUnknown);
}

std::string utc_time(std::int64_t realtime_ns) {
  const auto seconds = static_cast<std::time_t>(realtime_ns / 1'000'000'000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), length};
}

std::int64_t incident_realtime_ns(const facts::Observation& observation) {
  const facts::Snapshot& after = observation.after;
  return after.realtime_ns - (after.monotonic_ns - observation.incident->at_ns);
}

std::string duration_text(double ms) {
  constexpr double kMsPerSecond = 1000;
  return ms < kMsPerSecond ? fmt::format("{:.3g} ms", ms)
                           : fmt::format("{:.3g} s", ms / kMsPerSecond);
}

}  // namespace acceptq::render
