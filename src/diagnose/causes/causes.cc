#include "diagnose/causes/causes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <ranges>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "diagnose/causes/runtimes.h"
#include "diagnose/rules.h"

namespace acceptq::diagnose {
namespace {

constexpr std::array<Judge, 17> kJudges = {
    judge_stopped, judge_fd_limit, judge_throttled, judge_starved,       judge_busy, judge_gc,
    judge_fuse,    judge_nfs,      judge_block,     judge_reclaim,       judge_lock, judge_pipe,
    judge_client,  judge_upstream, judge_sleep,     judge_not_accepting, judge_burst};

struct Family {
  CauseKind kind;
  const char* id;
  const char* title = nullptr;  // the catalogue's
};
constexpr Family kFamilies[] = {
    {CauseKind::kStopped, "AQ301"},
    {CauseKind::kCpuThrottled, "AQ302"},
    {CauseKind::kCpuStarved, "AQ303"},
    {CauseKind::kCpuBusy, "AQ304"},
    {CauseKind::kGc, "AQ304", "the threads that accept wait for garbage collection"},
    {CauseKind::kLock, "AQ305"},
    {CauseKind::kPipe, "AQ306"},
    {CauseKind::kClient, "AQ307", "the threads that accept wait for a client"},
    {CauseKind::kUpstream, "AQ307", "the threads that accept wait for another server"},
    {CauseKind::kSleep, "AQ308"},
    {CauseKind::kMemoryReclaim, "AQ309"},
    {CauseKind::kIoNfs, "AQ310", "the threads that accept wait for NFS"},
    {CauseKind::kIoFuse, "AQ310", "the threads that accept wait for a FUSE file system"},
    {CauseKind::kIoBlock, "AQ310", "the threads that accept wait for a disk"},
    {CauseKind::kFdLimit, "AQ311"},
    {CauseKind::kNotAccepting, "AQ312"},
    {CauseKind::kBurst, "AQ313"},
    {CauseKind::kUnknown, "AQ314"},
};

const Family& family_of(CauseKind kind) {
  // reuseport.skew and syn_flood are causes of other findings.
  return *std::ranges::find(kFamilies, kind, &Family::kind);
}

bool is_matter_of_accept(const ListenerState& state) {
  return state.by_accept_queue || was_full(state) || is_slow(state);
}

// Causes without a share explain all of it.
double weight(const JudgedCause& judged) { return judged.cause.share.value_or(1); }

// What the threads did, for whoever has to find out.
std::string where_time_went(const AcceptTime& time) {
  constexpr double kWorthSaying = 0.05;
  constexpr double kPercent = 100;
  std::vector<std::pair<std::string, double>> places;  // in the order of the kinds of waits
  for (const ClassTime& part : time.classes) {
    if (part.share < kWorthSaying || !part.most_seen) continue;
    const facts::Wait& wait = *part.most_seen;
    std::string place = wait.syscall ? *wait.syscall : std::string();
    if (wait.syscall && *wait.syscall != kParked) place += "()";
    if (!wait.stack.empty()) place += (place.empty() ? "" : " in ") + wait.stack.front();
    if (place.empty()) place = wait.state == "R" ? "on a core or ready" : "state " + wait.state;
    const auto same = std::ranges::find(places, place, &std::pair<std::string, double>::first);
    if (same == places.end()) {
      places.emplace_back(std::move(place), part.share);
    } else {
      same->second += part.share;
    }
  }
  std::vector<std::string> said;
  said.reserve(places.size());
  for (const auto& [place, share] : places) {
    said.push_back(fmt::format("{} {:.0f} %", place, share * kPercent));
  }
  return fmt::format("{}", fmt::join(said, ", "));
}

// A sentence, with a blank before it, or nothing.
std::string who_traces(const Scene& scene) {
  for (const facts::ProcessCondition* condition : scene.conditions()) {
    if (!condition->tracer) continue;
    return fmt::format(
        " It is traced by pid {} (strace, a debugger), which slows down each of its system calls.",
        condition->tracer->value());
  }
  return "";
}

std::optional<JudgedCause> unknown_cause(const Scene& scene) {
  JudgedCause unknown{.cause = {.kind = CauseKind::kUnknown, .share = {}, .detail = {}},
                      .confidence = 0,
                      .words = scene.state.report.left_queue == 0U
                                   ? "accepts nothing, for a reason that could not be told"
                                   : "is slow to accept for a reason that could not be told",
                      .consequence = {}};
  if (scene.time.has_shares() && waits_for_children(scene)) {
    constexpr std::size_t kSome = 3;
    const std::set<Pid> pids = scene.processes();
    unknown.title = "the threads that accept wait for child processes";
    unknown.cause.detail["waits_for"] = "children";
    std::vector<std::int32_t> some;
    for (const Pid pid : pids | std::views::take(kSome)) some.push_back(pid.value());
    unknown.words =
        fmt::format("waits for child processes that do something for its clients (pgrep -l -P {})",
                    fmt::join(some, ","));
    unknown.consequence =
        "What these compute or wait for decides how fast connections are taken, and is not looked "
        "at.";
    return unknown;
  }
  if (scene.time.has_shares()) {
    const facts::Acceptors* acceptors = acceptors_of(scene);
    const bool nobody_waits = acceptors != nullptr && has_no_waiter(*acceptors);
    unknown.consequence = fmt::format(
        "Where its threads were: {}.{}{}", where_time_went(scene.time), who_traces(scene),
        nobody_waits ? " None of them was seen to wait for this listener: it may be at its own "
                       "limit of connections, or wait for something else."
                     : "");
    return unknown;
  }
  // One look was all that was asked for.
  if (scene.observation.seconds == 0) return std::nullopt;
  unknown.consequence = fmt::format(
      "acceptq came to look at its threads {} in {:.1f} s, which is too little to tell.",
      counted(scene.time.looks, "time", "times"), scene.observation.seconds);
  return unknown;
}

// The share of time in places of which no cause was made.
double unexplained(const Scene& scene, const std::vector<JudgedCause>& causes) {
  const AcceptTime& time = scene.time;
  const auto has = [&](CauseKind kind) {
    return std::ranges::any_of(
        causes, [&](const JudgedCause& judged) { return judged.cause.kind == kind; });
  };
  double share = time.of(WaitClass::kOther).share;
  const double runs = time.of(WaitClass::kRuns).share;
  // Who frees memory does so on a core as well.
  const bool frees_memory = std::ranges::any_of(causes, [&](const JudgedCause& judged) {
    return judged.cause.kind == CauseKind::kMemoryReclaim && weight(judged) > runs;
  });
  if (!frees_memory && !has(CauseKind::kCpuThrottled)) {
    // Waiting for a core is known where it is named, and where it is too little for that. The rest
    // was on a core, or waited for one as well, where neither was measured.
    const double waits = share_without_core(scene);
    const bool is_known = has(CauseKind::kCpuStarved) || waits < kNamedFrom;
    share += std::max(runs - time.on_core.value_or(0) - (is_known ? waits : 0), 0.0);
  }
  // Pages that may be read again for a limit of memory, say.
  if (!has(CauseKind::kIoBlock) && !has(CauseKind::kMemoryReclaim)) {
    share += time.of(WaitClass::kBlock).share;
  }
  if (time.may_take_turns) share += time.of(WaitClass::kLock).share;
  if (!has(CauseKind::kGc)) share += time.of(WaitClass::kTimedLock).share;
  return std::min(share, 1.0);
}

// Tasks that hung meanwhile say that storage does not answer at all. Of the whole host: beside a
// wait for storage, and no cause by themselves.
void add_hung_tasks(const Scene& scene, JudgedCause& judged) {
  const auto& hung = scene.observation.accept_evidence.hung_tasks;
  if (std::string_view(family_of(judged.cause.kind).id) != "AQ310") return;
  if (!hung || hung->more.value_or(0) == 0) return;
  judged.cause.detail["hung_tasks"] = std::to_string(*hung->more);
  judged.consequence =
      fmt::format("The kernel counted {} hung {} on this host meanwhile. {}", *hung->more,
                  *hung->more == 1 ? "task" : "tasks", judged.consequence);
}

// `most`, but for what is not known, and where AQ111 says of one socket of a group that nobody
// accepts from it.
Severity severity_of(const JudgedCause& judged, const ListenerState& state, Severity most,
                     const std::vector<Finding>& findings) {
  if (judged.cause.kind == CauseKind::kUnknown) return Severity::kNotice;
  const auto skew = std::ranges::find_if(findings, [&](const Finding& finding) {
    return finding.id == "AQ111" && finding.listener == state.report.key;
  });
  const bool is_said = judged.cause.kind == CauseKind::kNotAccepting && skew != findings.end();
  return is_said ? std::min(most, skew->severity) : most;
}

std::string name_of_program(const facts::Observation& observation, const AcceptTime& time) {
  const Pid pid = time.threads.front()->pid;
  const facts::Process* process = facts::find_process(observation.after, pid);
  return process != nullptr ? process->comm : time.threads.front()->comm;
}

std::string share_text(const Cause& cause, const AcceptTime& time) {
  constexpr double kPercent = 100;
  if (!cause.share) return "";
  return fmt::format(": {:.0f} % of {:.1f} s", *cause.share * kPercent, time.seconds);
}

}  // namespace

std::vector<JudgedCause> causes_of(const facts::Observation& observation,
                                   const ListenerState& state, const AcceptTime& time) {
  const Scene scene{observation, state, time};
  std::vector<JudgedCause> causes;
  for (const Judge judge : kJudges) {
    auto judged = judge(scene);
    if (!judged) continue;
    add_hung_tasks(scene, *judged);
    causes.push_back(std::move(*judged));
  }
  std::ranges::stable_sort(causes, std::ranges::greater{}, weight);
  // A process that does not run has no other cause, and none could be told from it.
  const auto stopped = std::ranges::find(
      causes, CauseKind::kStopped, [](const JudgedCause& judged) { return judged.cause.kind; });
  constexpr double kAllTheTime = 0.9;
  if (stopped != causes.end() && weight(*stopped) >= kAllTheTime) causes = {*stopped};
  // One whose accept() fails calls it in vain, and has time.
  const auto is = [](CauseKind kind) {
    return [kind](const JudgedCause& judged) { return judged.cause.kind == kind; };
  };
  if (std::ranges::any_of(causes, is(CauseKind::kFdLimit))) {
    std::erase_if(causes, is(CauseKind::kNotAccepting));
    // Or it has none, for calling accept() again at once.
    if (state.report.left_queue == 0U) std::erase_if(causes, is(CauseKind::kCpuBusy));
  }
  // One that is held up for as long as it has time does not keep up.
  const bool held_up = std::ranges::any_of(causes, [&](const JudgedCause& judged) {
    return judged.cause.share.value_or(0) >= time.idle();
  });
  if (held_up) std::erase_if(causes, is(CauseKind::kBurst));
  // What takes less than what nothing explains is not why.
  if (causes.empty() || unexplained(scene, causes) > weight(causes.front())) {
    if (auto unknown = unknown_cause(scene)) causes = {std::move(*unknown)};
  }
  return causes;
}

void add_cause_findings(const facts::Observation& observation, const ListenerState& state,
                        std::vector<Finding>& findings) {
  if (!is_matter_of_accept(state)) return;
  const auto time = accept_time(observation, state);
  if (!time) return;
  Severity severity = Severity::kNotice;
  for (const Finding& finding : findings) {
    if (finding.listener == state.report.key) severity = std::max(severity, finding.severity);
  }
  for (const JudgedCause& judged : causes_of(observation, state, *time)) {
    // Nothing has to be told of one that suffers from nothing.
    if (judged.cause.kind == CauseKind::kUnknown && severity == Severity::kNotice) continue;
    const Family& family = family_of(judged.cause.kind);
    Finding finding = finding_about(family.id, state);
    if (family.title != nullptr) finding.title = family.title;
    if (judged.title != nullptr) finding.title = judged.title;
    finding.severity = severity_of(judged, state, severity, findings);
    finding.confidence = judged.confidence;
    finding.cause = judged.cause;
    const char* const of_pool =
        time->take_turns && time->retold ? " What it does goes on in any of its threads."
        : time->take_turns
            ? " Its threads run one at a time, and whoever accepts waits until one is free."
        : time->certainty == Certainty::kServe
            ? " Of the threads that serve its connections none is free: whoever accepts waits."
            : "";
    finding.explanation =
        fmt::format("{} {}{}. {}{}", name_of_program(observation, *time), judged.words,
                    share_text(judged.cause, *time), judged.consequence, of_pool);
    const auto add = [&](const char* name, std::uint64_t count, const char* unit) {
      finding.evidence.push_back({.name = name,
                                  .total = static_cast<std::int64_t>(count),
                                  .unit = unit,
                                  .source = state.report.key});
    };
    add("accepting_threads", time->threads.size(), "threads");
    add("exactly_timed_threads", time->exact_threads, "threads");
    add("looks", time->looks, "looks");
    findings.push_back(std::move(finding));
  }
}

}  // namespace acceptq::diagnose
