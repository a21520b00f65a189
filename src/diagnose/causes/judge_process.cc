// A process that is held back as a whole, or has run out of what accept() needs.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "diagnose/causes/judges.h"
#include "facts/holders.h"

namespace acceptq::diagnose {
namespace {

constexpr const char* kUntilItGoesOn =
    "Nothing is taken from the queue until it goes on, however long the queue is.";

// Of the threads that a signal, a debugger or their control group holds, the processes; and the
// share of all threads' time.
std::set<Pid> held_processes(const Scene& scene, double& share) {
  std::set<Pid> held;
  double sum = 0;
  for (const facts::ThreadWatch* thread : scene.time.threads) {
    const facts::ProcessCondition* condition = scene.condition(thread->pid);
    std::uint32_t looks = 0;
    for (const facts::Wait& wait : thread->waits) {
      const WaitClass what = classify(wait, *scene.state.listener);
      if (what == WaitClass::kStopped || what == WaitClass::kFrozen) looks += wait.looks;
    }
    const bool frozen =
        condition != nullptr && condition->frozen_group && thread->times.voluntary.value_or(0) == 0;
    const double own = frozen ? 1.0 : std::min(static_cast<double>(looks) / thread->looks, 1.0);
    if (own > 0) held.insert(thread->pid);
    sum += own;
  }
  share = sum / static_cast<double>(scene.time.threads.size());
  return held;
}

// Where nothing tells who serves clients: another process has the listener, too, and is at work, or
// may be, in poll(), and none of those that are held was on its way to accept.
bool may_have_inherited(const Scene& scene, const std::set<Pid>& held) {
  const facts::Acceptors* acceptors = acceptors_of(scene);
  if (acceptors == nullptr || acceptors->queue_looks > 0) return false;
  const bool one_accepts =
      std::ranges::any_of(acceptors->threads, [&](const facts::ThreadWatch& thread) {
        return held.contains(thread.pid) && thread.link == facts::AcceptLink::kAccept;
      });
  if (one_accepts) return false;
  return std::ranges::any_of(acceptors->threads, [&](const facts::ThreadWatch& thread) {
    if (held.contains(thread.pid) || thread.waits.empty()) return false;
    const facts::Wait& wait = thread.waits.front();
    return facts::is_polling(wait) || !is_idle(classify(wait, *scene.state.listener));
  });
}

// Descriptors that calls which have not returned keep for what they are to open: they are reserved
// first, and on no list of open ones (__sys_accept4_file, net/socket.c; do_sys_openat2, fs/open.c).
std::uint32_t reserved_descriptors(const Scene& scene, Pid pid) {
  const facts::Acceptors* acceptors = acceptors_of(scene);
  if (acceptors == nullptr) return 0;
  constexpr std::array<std::string_view, 5> kThatReserve = {"accept", "accept4", "open", "openat",
                                                            "openat2"};
  return static_cast<std::uint32_t>(
      std::ranges::count_if(acceptors->threads, [&](const facts::ThreadWatch& thread) {
        if (thread.pid != pid || thread.waits.empty()) return false;
        const facts::Wait& wait = thread.waits.front();
        return wait.state != "R" && wait.syscall &&
               std::ranges::find(kThatReserve, *wait.syscall) != kThatReserve.end();
      }));
}

// It has none of the clients, and lets none go, while another of the processes does: a master, say.
bool serves_nobody(const Scene& scene, Pid pid) {
  const facts::Acceptors* acceptors = acceptors_of(scene);
  const auto closes = [&](bool of_it) {
    return std::ranges::any_of(scene.time.threads, [&](const facts::ThreadWatch* thread) {
      return (thread->pid == pid) == of_it && has_closed(*thread);
    });
  };
  return acceptors != nullptr && held_connections(*acceptors, pid) == 0U && !closes(true) &&
         closes(false);
}

}  // namespace

std::optional<JudgedCause> judge_stopped(const Scene& scene) {
  double share = 0;
  const std::set<Pid> held = held_processes(scene, share);
  // A debugger that steps, or a signal that comes and goes, is told from its share.
  if (held.empty() || share < kNamedFrom) return std::nullopt;
  if (may_have_inherited(scene, held)) return std::nullopt;
  JudgedCause judged{.cause = {.kind = CauseKind::kStopped, .share = {}, .detail = {}},
                     .confidence = 0.97,
                     .words = "is stopped by a signal (SIGSTOP, SIGTSTP, or one of its terminal's)",
                     .consequence = kUntilItGoesOn};
  if (scene.time.has_shares()) judged.cause.share = share;
  auto& detail = judged.cause.detail;
  detail["how"] = "signal";
  for (const facts::ProcessCondition* condition : scene.conditions()) {
    if (condition->frozen_group) {
      detail = {{"how", "frozen"}, {"cgroup", *condition->frozen_group}};
      judged.words = fmt::format("is frozen by its control group {}", *condition->frozen_group);
    } else if (condition->dumping_core == true) {
      detail = {{"how", "core_dump"}};
      judged.words = "is stopped while its core is being dumped";
    } else if (condition->tracer) {
      detail = {{"how", "debugger"}, {"tracer", std::to_string(condition->tracer->value())}};
      judged.words = fmt::format("is stopped by a debugger (pid {})", condition->tracer->value());
    } else {
      continue;
    }
    break;
  }
  std::string pids;
  for (const Pid pid : held) pids += (pids.empty() ? "" : " ") + std::to_string(pid.value());
  detail["pids"] = pids;
  if (scene.time.of(WaitClass::kFrozen).share > 0 && detail["how"] == "signal") {
    detail["how"] = "frozen";
    judged.words = "is frozen by its control group";
  }
  if (const std::size_t all = scene.processes().size(); held.size() < all) {
    judged.words += fmt::format(", in {} of {} processes that accept (pid{} {})", held.size(), all,
                                held.size() == 1 ? "" : "s", pids);
  }
  return judged;
}

bool may_lack_descriptors(const Scene& scene) {
  const facts::Ledger* ledger = scene.state.ledger;
  if (ledger != nullptr && (*ledger)[facts::LedgerTerm::kAcceptEmfile]) return false;
  return std::ranges::any_of(scene.time.threads, [&](const facts::ThreadWatch* thread) {
    const facts::Process* process = facts::find_process(scene.observation.after, thread->pid);
    return process == nullptr || !process->open_files || !process->open_files_limit;
  });
}

std::optional<JudgedCause> judge_fd_limit(const Scene& scene) {
  const auto refused = scene.state.ledger != nullptr
                           ? (*scene.state.ledger)[facts::LedgerTerm::kAcceptEmfile]
                           : std::optional<std::uint64_t>();
  const facts::Process* full = nullptr;
  std::uint32_t reserved = 0;
  for (const Pid pid : scene.processes()) {
    const facts::Process* process = facts::find_process(scene.observation.after, pid);
    if (process == nullptr || !process->open_files || !process->open_files_limit) continue;
    const std::uint32_t more = reserved_descriptors(scene, pid);
    if (*process->open_files + more < *process->open_files_limit) continue;
    if (serves_nobody(scene, pid)) continue;
    full = process;
    reserved = more;
  }
  if (full == nullptr && refused.value_or(0) == 0) return std::nullopt;
  JudgedCause judged{
      .cause = {.kind = CauseKind::kFdLimit, .share = {}, .detail = {}},
      .confidence = refused.value_or(0) > 0 ? 0.99 : 0.93,
      .words = "has no descriptor left for accept()",
      .consequence =
          "accept() fails with EMFILE, and connections stay in the queue until others "
          "are closed."};
  if (refused.value_or(0) > 0) judged.cause.detail["emfile"] = std::to_string(*refused);
  if (full != nullptr) {
    judged.cause.detail["open_files"] = std::to_string(*full->open_files);
    judged.cause.detail["limit"] = std::to_string(*full->open_files_limit);
    judged.cause.detail["pid"] = std::to_string(full->pid.value());
    judged.words = fmt::format("has no descriptor left for accept(): {} of {} are open",
                               *full->open_files, *full->open_files_limit);
    if (*full->open_files < *full->open_files_limit) {
      judged.cause.detail["reserved"] = std::to_string(reserved);
      judged.words +=
          fmt::format(", and {} kept for calls of other threads that have not returned",
                      reserved == 1 ? "one more is" : fmt::format("{} more are", reserved));
    }
  }
  return judged;
}

}  // namespace acceptq::diagnose
