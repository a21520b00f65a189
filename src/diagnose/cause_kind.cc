#include "diagnose/cause_kind.h"

#include <algorithm>
#include <array>

namespace acceptq::diagnose {
namespace {

// In the order of the enumeration.
constexpr std::array<std::string_view, 20> kNames = {
    "stopped",       "cpu.throttled", "cpu.starved",    "cpu.busy",       "gc",
    "io.nfs",        "io.fuse",       "io.block",       "memory.reclaim", "lock",
    "pipe",          "client",        "upstream",       "sleep",          "fd_limit",
    "not_accepting", "burst",         "reuseport.skew", "syn_flood",      "unknown"};
static_assert(kNames.size() == static_cast<std::size_t>(CauseKind::kUnknown) + 1);

}  // namespace

std::string_view cause_name(CauseKind kind) { return kNames.at(static_cast<std::size_t>(kind)); }

std::optional<CauseKind> cause_of_name(std::string_view name) {
  const auto* const found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<CauseKind>(found - kNames.begin());
}

std::vector<std::string> cause_names() { return {kNames.begin(), kNames.end()}; }

}  // namespace acceptq::diagnose
