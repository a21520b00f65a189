#include "import/hints.h"

#include <fmt/format.h>

#include <map>
#include <utility>

namespace acceptq::imports {
namespace {

using facts::BlindSpot;

BlindSpot hint(const Placed& placed, std::string what, std::string meaning) {
  return {.id = "AQ622",
          .scope = place(placed.file, placed.block->line),
          .reason = std::move(what),
          .cost = std::move(meaning)};
}

constexpr const char* kNotTold =
    "whether that holds up the program that should accept is a guess; `acceptq check` on the host, "
    "while the queue is full, tells";

void add_pressure(const Placed& placed, std::vector<BlindSpot>& hints) {
  // Below, nobody waits for long.
  constexpr double kMuch = 10;
  for (const Pressure& pressure : std::get<Pressures>(placed.block->piece).all) {
    if (pressure.some < kMuch || pressure.resource.empty()) continue;
    hints.push_back(
        hint(placed,
             fmt::format("in {:.0f} % of 10 s some program had to wait for {} "
                         "(/proc/pressure/{})",
                         pressure.some, pressure.resource == "cpu" ? "a core" : pressure.resource,
                         pressure.resource),
             kNotTold));
  }
}

void add_throttling(const Placed* first, const Placed& last, std::vector<BlindSpot>& hints) {
  constexpr double kNsPerSecond = 1e9;
  // Where one period in a hundred is cut short, nobody notices.
  constexpr std::uint64_t kOneIn = 100;
  evidence::CpuStat stat = std::get<CpuSample>(last.block->piece).stat;
  const bool compared = first != nullptr;
  if (compared) {
    const evidence::CpuStat& before = std::get<CpuSample>(first->block->piece).stat;
    // Of another group, or made anew.
    if (stat.periods < before.periods || stat.throttled < before.throttled ||
        stat.throttled_ns < before.throttled_ns) {
      return;
    }
    stat.periods -= before.periods;
    stat.throttled -= before.throttled;
    stat.throttled_ns -= before.throttled_ns;
  }
  if (stat.throttled == 0 || stat.throttled * kOneIn < stat.periods) return;
  hints.push_back(hint(
      last,
      fmt::format("{} the control group was held back by its CPU limit in {} of {} periods, {:.1f} "
                  "s in all (cpu.stat)",
                  compared ? "between the two samples" : "since it was made", stat.throttled,
                  stat.periods, static_cast<double>(stat.throttled_ns) / kNsPerSecond),
      std::string("a program that is held back accepts nothing meanwhile; ") + kNotTold));
}

void add_mounts(const Placed* first, const Placed& last, std::vector<BlindSpot>& hints) {
  constexpr double kSlowMs = 50;
  std::map<std::pair<std::string, std::string>, evidence::NfsTotals> earlier;
  if (first != nullptr) {
    for (const evidence::NfsMountStats& mount : std::get<MountSample>(first->block->piece).mounts) {
      earlier.emplace(std::pair(mount.source, mount.mountpoint), mount.totals);
    }
  }
  for (const evidence::NfsMountStats& mount : std::get<MountSample>(last.block->piece).mounts) {
    evidence::NfsTotals totals = mount.totals;
    const auto before = earlier.find({mount.source, mount.mountpoint});
    const bool compared = before != earlier.end() &&
                          before->second.operations <= totals.operations &&
                          before->second.execute_ms <= totals.execute_ms;
    if (compared) {
      totals.operations -= before->second.operations;
      totals.execute_ms -= before->second.execute_ms;
    }
    if (totals.operations == 0) continue;
    const double each =
        static_cast<double>(totals.execute_ms) / static_cast<double>(totals.operations);
    if (each < kSlowMs) continue;
    hints.push_back(hint(
        last,
        fmt::format("{} an operation on {} (NFS, at {}) took {:.0f} ms on average, of {}",
                    compared ? "between the two samples" : "since it was mounted", mount.source,
                    mount.mountpoint, each, totals.operations),
        std::string("a program that waits for its files accepts nothing meanwhile; ") + kNotTold));
  }
}

}  // namespace

void add_hints(const std::vector<Placed>& blocks, std::vector<BlindSpot>& hints) {
  std::vector<const Placed*> cpu;
  std::vector<const Placed*> mounts;
  for (const Placed& placed : blocks) {
    if (std::holds_alternative<Pressures>(placed.block->piece)) add_pressure(placed, hints);
    if (std::holds_alternative<CpuSample>(placed.block->piece)) cpu.push_back(&placed);
    if (std::holds_alternative<MountSample>(placed.block->piece)) mounts.push_back(&placed);
  }
  if (!cpu.empty()) add_throttling(cpu.size() > 1 ? cpu.front() : nullptr, *cpu.back(), hints);
  if (!mounts.empty()) {
    add_mounts(mounts.size() > 1 ? mounts.front() : nullptr, *mounts.back(), hints);
  }
}

}  // namespace acceptq::imports
