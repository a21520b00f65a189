// Threads that run, or would if they had a core.
#include <fmt/format.h>

#include <algorithm>

#include "diagnose/causes/judges.h"
#include "diagnose/causes/runtimes.h"
#include "diagnose/causes/thread_habits.h"

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
  for (const facts::ProcessCondition* condition : scene.conditions()) {
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

// In cores; by looks where the kernel does not tell.
double used(const facts::ThreadWatch& thread) {
  if (thread.watched_ns <= 0) return 0;
  if (!thread.times.user_ns && !thread.times.system_ns) {
    double runs = 0;
    for (const facts::Wait& wait : thread.waits) runs += wait.state == "R" ? wait.looks : 0;
    return runs / thread.looks;
  }
  return static_cast<double>(thread.times.user_ns.value_or(0) +
                             thread.times.system_ns.value_or(0)) /
         static_cast<double>(thread.watched_ns);
}

// Any of these threads may be the one that accepts, and one of them waits at a lock, which another
// one may have that computes.
bool one_may_wait_for_another(const Scene& scene) {
  return scene.time.certainty == Certainty::kGroup &&
         std::ranges::any_of(scene.time.threads, [&](const facts::ThreadWatch* thread) {
           return mostly(*thread, *scene.state.listener) == WaitClass::kLock &&
                  !is_of_runtime(thread->comm);
         });
}

const char* where_it_computes(const std::optional<double>& user,
                              const std::optional<double>& system) {
  constexpr double kMostly = 4;
  if (!user || !system) return "";
  if (*user > *system * kMostly) return ", in the program itself";
  return *system > *user * kMostly ? ", in the kernel" : ", in the program and in the kernel";
}

}  // namespace

bool has_unseen_groups(const Scene& scene) {
  return std::ranges::any_of(scene.time.threads, [&](const facts::ThreadWatch* thread) {
    const facts::ProcessCondition* condition = scene.condition(thread->pid);
    return condition == nullptr || !condition->cpu_groups_seen.value_or(false);
  });
}

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

// Whether each wait for a core was, or may have been, so short that nothing else can have had the
// core meanwhile: a thread that a timer wakes thousands of times a second is late each time.
bool may_only_wake_late(const AcceptTime& time) {
  constexpr double kLateNs = 100'000;
  double waited_ns = 0;
  double switches = 0;
  for (const facts::ThreadWatch* thread : time.threads) {
    if (!thread->times.voluntary) continue;
    const facts::ExactTime* exact = exact_time(*thread);
    waited_ns += static_cast<double>(exact != nullptr ? exact->ready_ns
                                                      : thread->times.delay_ns.value_or(0));
    switches += static_cast<double>(thread->times.voluntary.value_or(0)) +
                static_cast<double>(thread->times.involuntary.value_or(0));
  }
  return waited_ns <= kLateNs * switches;
}

double share_without_core(const Scene& scene) {
  return may_only_wake_late(scene.time) ? 0 : waits_for_core(scene.time).value_or(0);
}

std::optional<JudgedCause> judge_starved(const Scene& scene) {
  const double waited = share_without_core(scene);
  if (waited < kNamedFrom || has_unseen_groups(scene) || may_lack_descriptors(scene) ||
      explains(throttled_group(scene), waited, scene.time.seconds)) {
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
  // One that calls accept() again and again for want of a descriptor is busy, too.
  if (!time.has_shares() || !time.on_core || *time.on_core < kNamedFrom ||
      may_lack_descriptors(scene) || one_may_wait_for_another(scene)) {
    return std::nullopt;
  }
  JudgedCause judged{
      .cause = {.kind = CauseKind::kCpuBusy, .share = std::min(*time.on_core, 1.0), .detail = {}},
      .confidence = confidence_of(time),
      .words = fmt::format("is busy computing{}", where_it_computes(time.user, time.system)),
      .consequence = "While it computes it does not call accept()."};
  if (time.user) judged.cause.detail["user"] = fmt::format("{:.2f}", *time.user);
  if (time.system) judged.cause.detail["system"] = fmt::format("{:.2f}", *time.system);
  return judged;
}

Others computed_by_others(const Scene& scene) {
  Others others;
  const auto& all = scene.observation.accept_evidence.acceptors;
  const auto found = all.find(scene.state.report.key);
  if (found == all.end()) return others;
  const auto& accepting = scene.time.threads;
  const auto is_of_them = [&](const facts::ThreadWatch& thread) {
    return std::ranges::any_of(
        accepting, [&](const facts::ThreadWatch* other) { return other->pid == thread.pid; });
  };
  for (const facts::ThreadWatch& thread : found->second.threads) {
    if (!is_of_them(thread)) continue;
    if (collects_garbage(thread.comm)) {
      others.collect += used(thread);
    } else if (thread.comm.empty() && std::ranges::find(accepting, &thread) == accepting.end()) {
      others.nameless += used(thread);
    }
  }
  return others;
}

std::optional<JudgedCause> judge_gc(const Scene& scene) {
  const AcceptTime& time = scene.time;
  // A collector stops the others at a lock.
  const double waits = time.of(WaitClass::kLock).share + time.of(WaitClass::kTimedLock).share;
  const double share = std::min(waits, computed_by_others(scene).collect);
  if (!time.has_shares() || share < kNamedFrom) return std::nullopt;
  return JudgedCause{
      .cause = {.kind = CauseKind::kGc, .share = std::min(share, 1.0), .detail = {}},
      .confidence = std::min(confidence_of(time), 0.85),
      .words = "is stopped for the collection of garbage",
      .consequence =
          "Meanwhile it takes nothing from the queue: its heap is too small, or it is "
          "given too much to clear away."};
}

}  // namespace acceptq::diagnose
