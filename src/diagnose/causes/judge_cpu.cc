// Threads that run, or would if they had a core.
#include <fmt/format.h>

#include <algorithm>

#include "diagnose/causes/judges.h"

namespace acceptq::diagnose {
namespace {

constexpr double kNsPerSecond = 1e9;
constexpr double kUsPerMs = 1000;

// Ready without a core. A throttled thread of Linux 6.18 is dequeued, which run_delay does not
// count (kernel/sched/fair.c, throttle_cfs_rq_work): it is ready at looks, and uses no time.
std::optional<double> waits_for_core(const AcceptTime& time) {
  if (!time.has_shares()) return std::nullopt;
  if (!time.on_core) return time.delayed;
  const double looked = time.of(WaitClass::kRuns).share - *time.on_core;
  return std::clamp(std::max(time.delayed.value_or(0), looked), 0.0, 1.0);
}

// The group that was held back the longest.
const facts::CpuGroup* throttled_group(const Scene& scene) {
  const facts::CpuGroup* most = nullptr;
  for (const facts::ThreadWatch* thread : scene.time.threads) {
    const facts::ProcessCondition* condition = scene.condition(thread->pid);
    if (condition == nullptr) continue;
    for (const facts::CpuGroup& group : condition->cpu_groups) {
      if (group.throttled.value_or(0) == 0) continue;
      if (most == nullptr || group.throttled_ns > most->throttled_ns) most = &group;
    }
  }
  return most;
}

// Of the time that the threads were without a core, the quota explains a good part.
bool explains(const facts::CpuGroup* group, double waited, double seconds) {
  if (group == nullptr || seconds <= 0) return false;
  const double held = static_cast<double>(group->throttled_ns.value_or(0)) / kNsPerSecond / seconds;
  constexpr double kGoodPart = 0.4;
  return held >= waited * kGoodPart;
}

const char* where_it_computes(const std::optional<double>& user,
                              const std::optional<double>& system) {
  constexpr double kMostly = 4;
  if (!user || !system) return "";
  if (*user > *system * kMostly) return ", in the program itself";
  return *system > *user * kMostly ? ", in the kernel" : ", in the program and in the kernel";
}

}  // namespace

std::optional<JudgedCause> judge_throttled(const Scene& scene) {
  const auto waited = waits_for_core(scene.time);
  const facts::CpuGroup* group = throttled_group(scene);
  if (!waited || *waited < kNamedFrom || !explains(group, *waited, scene.time.seconds)) {
    return std::nullopt;
  }
  JudgedCause judged{
      .cause = {.kind = CauseKind::kCpuThrottled, .share = waited, .detail = {}},
      .confidence = confidence_of(scene.time),
      .words = fmt::format("may not run: its control group {} has used up its CPU quota, {:.3g} ms "
                           "of each {:.3g} ms",
                           group->path, static_cast<double>(group->quota_us) / kUsPerMs,
                           static_cast<double>(group->period_us) / kUsPerMs),
      .consequence = "It is the quota that bounds how fast connections are taken."};
  judged.cause.detail = {{"cgroup", group->path},
                         {"quota_us", std::to_string(group->quota_us)},
                         {"period_us", std::to_string(group->period_us)},
                         {"throttled", std::to_string(*group->throttled)}};
  if (group->periods) judged.cause.detail["periods"] = std::to_string(*group->periods);
  return judged;
}

std::optional<JudgedCause> judge_starved(const Scene& scene) {
  const auto waited = waits_for_core(scene.time);
  if (!waited || *waited < kNamedFrom ||
      explains(throttled_group(scene), *waited, scene.time.seconds)) {
    return std::nullopt;
  }
  return JudgedCause{
      .cause = {.kind = CauseKind::kCpuStarved, .share = waited, .detail = {}},
      .confidence = confidence_of(scene.time),
      .words = "is ready to run and waits for a CPU core",
      .consequence =
          "Others use the cores: its connections are taken as fast as it gets its turn."};
}

std::optional<JudgedCause> judge_busy(const Scene& scene) {
  const AcceptTime& time = scene.time;
  if (!time.has_shares() || !time.on_core || *time.on_core < kNamedFrom) return std::nullopt;
  JudgedCause judged{
      .cause = {.kind = CauseKind::kCpuBusy, .share = std::min(*time.on_core, 1.0), .detail = {}},
      .confidence = confidence_of(time),
      .words = fmt::format("is busy computing{}", where_it_computes(time.user, time.system)),
      .consequence = "While it computes it does not call accept()."};
  if (time.user) judged.cause.detail["user"] = fmt::format("{:.2f}", *time.user);
  if (time.system) judged.cause.detail["system"] = fmt::format("{:.2f}", *time.system);
  return judged;
}

}  // namespace acceptq::diagnose
