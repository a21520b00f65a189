#include "remedy/workers.h"

#include <fmt/format.h>

#include <cmath>

namespace acceptq::remedy {

using diagnose::CauseKind;

bool would_help(CauseKind waits_for) {
  switch (waits_for) {
    case CauseKind::kClient:
    case CauseKind::kUpstream:
    case CauseKind::kSleep:
      return true;
    // What keeps one keeps all of them, and gets slower with each.
    case CauseKind::kCpuThrottled:
    case CauseKind::kCpuStarved:
    case CauseKind::kCpuBusy:
    case CauseKind::kGc:
    case CauseKind::kIoNfs:
    case CauseKind::kIoFuse:
    case CauseKind::kIoBlock:
    case CauseKind::kMemoryReclaim:
    case CauseKind::kLock:
    case CauseKind::kPipe:
    // They are not what is lacking.
    case CauseKind::kStopped:
    case CauseKind::kFdLimit:
    case CauseKind::kBurst:
    case CauseKind::kReuseportSkew:
    case CauseKind::kSynFlood:
    // What they do is not known.
    case CauseKind::kNotAccepting:
    case CauseKind::kUnknown:
      return false;
  }
  return false;
}

std::optional<WorkersWanted> workers_wanted(const Workers& workers) {
  if (!would_help(workers.waits_for) || !workers.busy) return std::nullopt;
  std::string missing;
  const auto lacks = [&](bool lacking, const char* what) {
    if (lacking) missing += (missing.empty() ? "" : ", ") + std::string(what);
  };
  lacks(!workers.number, "how many there are");
  lacks(workers.accepts_per_s.value_or(0) <= 0, "how long one takes for a connection");
  // Those that try again look like new ones for 15 s.
  lacks(!workers.attempts_per_s, "how many clients come (--for 20s tells)");
  if (!missing.empty()) {
    return WorkersWanted{.number = {}, .why = "how many would do depends on " + missing};
  }
  if (*workers.attempts_per_s <= *workers.accepts_per_s) return std::nullopt;
  constexpr double kMost = 100000;  // past that it is no number of workers
  const double seconds = *workers.number / *workers.accepts_per_s;
  const double wanted = std::ceil(*workers.attempts_per_s * seconds);
  if (wanted > kMost) {
    return WorkersWanted{
        .number = {},
        .why = fmt::format("{:.0f} would be needed, which is no number of workers", wanted)};
  }
  return WorkersWanted{
      .number = static_cast<std::uint32_t>(wanted),
      .why = fmt::format("{} busy all the time and {} {:.3g} connections a second, so one takes "
                         "{:.2g} s for each, and up to {:.3g} clients a second come",
                         *workers.number == 1 ? "1 is" : fmt::format("{} are", *workers.number),
                         *workers.number == 1 ? "takes" : "take", *workers.accepts_per_s, seconds,
                         *workers.attempts_per_s)};
}

}  // namespace acceptq::remedy
