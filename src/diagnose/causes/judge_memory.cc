// Threads that wait for memory to be freed, or free it themselves.
#include <fmt/format.h>

#include <algorithm>

#include "diagnose/causes/judges.h"
#include "diagnose/causes/page_faults.h"

namespace acceptq::diagnose {
namespace {

std::uint64_t times_at_limit(const facts::MemoryGroup& group) {
  return group.above_high.value_or(0) + group.at_max.value_or(0);
}

// The group that was at a limit of its own most often.
const facts::MemoryGroup* squeezed_group(const Scene& scene) {
  const facts::MemoryGroup* most = nullptr;
  for (const facts::ProcessCondition* condition : scene.conditions()) {
    for (const facts::MemoryGroup& group : condition->memory_groups) {
      if (times_at_limit(group) == 0) continue;
      if (most == nullptr || times_at_limit(group) > times_at_limit(*most)) most = &group;
    }
  }
  return most;
}

// The share of time that goes into making room: each page that is read or written takes the place
// of another one of the group. A thread then waits for the pages, and runs in the kernel to free
// others, in turns; one that mostly waits has a slow disk, unless it waits for pages of mapped
// files: these were read before, and had to make room.
double makes_room(const Scene& scene, const facts::MemoryGroup& group) {
  constexpr double kOften = 1000;  // times a second
  constexpr double kFewestWaits = 0.15;
  const AcceptTime& time = scene.time;
  if (!time.has_shares() ||
      static_cast<double>(times_at_limit(group)) < kOften * scene.observation.seconds) {
    return 0;
  }
  const double waits = time.of(WaitClass::kBlock).share + time.of(WaitClass::kReclaim).share;
  const double runs = time.of(WaitClass::kRuns).share;
  const auto& seen = time.of(WaitClass::kBlock).most_seen;
  const bool reads_again = seen && is_page_fault(*seen);
  if (waits < kFewestWaits || (!reads_again && (waits > runs || !time.user))) return 0;
  return waits + std::max(runs - time.user.value_or(runs) - share_without_core(scene), 0.0);
}

}  // namespace

std::optional<JudgedCause> judge_reclaim(const Scene& scene) {
  const facts::MemoryGroup* group = squeezed_group(scene);
  auto judged = cause_of_class(scene, CauseKind::kMemoryReclaim, WaitClass::kReclaim);
  const double room = group != nullptr ? makes_room(scene, *group) : 0;
  if (room >= kNamedFrom && room > (judged ? *judged->cause.share : 0)) {
    judged = {.cause = {.kind = CauseKind::kMemoryReclaim, .share = std::min(room, 1.0)},
              .confidence = std::min(confidence_of(scene.time), 0.75),
              .words = "makes room in memory"};
  } else if (judged) {
    judged->words = "waits for memory to be freed";
  } else {
    return std::nullopt;
  }
  if (group != nullptr) {
    const bool by_high = group->above_high.value_or(0) > 0;
    const char* limit = by_high ? "memory.high" : group->version == 1 ? "limit" : "memory.max";
    const std::uint64_t bytes = (by_high ? group->high_bytes : group->max_bytes).value_or(0);
    constexpr double kMiB = 1 << 20;
    judged->words += fmt::format(": its control group {} is at its {}, {:.3g} MiB", group->path,
                                 limit, static_cast<double>(bytes) / kMiB);
    judged->cause.detail = {{"cgroup", group->path},
                            {"limit", limit},
                            {"limit_bytes", std::to_string(bytes)},
                            {"times", std::to_string(times_at_limit(*group))}};
    if (group->stalled_us) judged->cause.detail["stalled_us"] = std::to_string(*group->stalled_us);
  }
  judged->consequence = kWhileStorageWaits;
  return judged;
}

}  // namespace acceptq::diagnose
