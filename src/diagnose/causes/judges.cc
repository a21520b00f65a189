#include "diagnose/causes/judges.h"

#include <algorithm>

namespace acceptq::diagnose {

std::set<Pid> Scene::processes() const {
  std::set<Pid> pids;
  for (const facts::ThreadWatch* thread : time.threads) pids.insert(thread->pid);
  return pids;
}

const facts::ProcessCondition* Scene::condition(Pid pid) const {
  const auto& all = observation.accept_evidence.processes;
  const auto it = std::ranges::find(all, pid, &facts::ProcessCondition::pid);
  return it != all.end() ? &*it : nullptr;
}

std::vector<const facts::ProcessCondition*> Scene::conditions() const {
  std::vector<const facts::ProcessCondition*> all;
  for (const facts::ThreadWatch* thread : time.threads) {
    const facts::ProcessCondition* found = condition(thread->pid);
    if (found != nullptr && std::ranges::find(all, found) == all.end()) all.push_back(found);
  }
  return all;
}

double confidence_of(const AcceptTime& time) {
  constexpr std::uint32_t kMany = 15;
  const double seldom = time.looks < kMany && !time.is_exact() ? 0.85 : 1.0;
  switch (time.certainty) {
    case Certainty::kSeen:
      return 0.95 * seldom;
    case Certainty::kOnly:
      return 0.92 * seldom;
    case Certainty::kMain:
    case Certainty::kServe:
      return 0.8 * seldom;
    case Certainty::kRest:
      return 0.7 * seldom;
    case Certainty::kGroup:
      return 0.6 * seldom;
  }
  return 0;
}

std::optional<JudgedCause> cause_of_class(const Scene& scene, CauseKind kind, WaitClass what) {
  const ClassTime& time = scene.time.of(what);
  if (!scene.time.has_shares() || time.share < kNamedFrom) return std::nullopt;
  JudgedCause judged{.cause = {.kind = kind, .share = std::min(time.share, 1.0), .detail = {}},
                     .confidence = confidence_of(scene.time)};
  if (time.most_seen) {
    const facts::Wait& wait = *time.most_seen;
    if (!wait.stack.empty()) judged.cause.detail["function"] = wait.stack.front();
    if (wait.syscall) judged.cause.detail["syscall"] = *wait.syscall;
  }
  return judged;
}

void add_file(const ClassTime& time, Cause& cause) {
  if (time.with_target == nullptr) return;
  const facts::Wait& wait = *time.with_target;
  // sendfile() names the socket that it writes to.
  if (wait.target->type == "sockfs" || wait.target->type == "pipefs") return;
  cause.detail["filesystem"] = wait.target->type;
  if (wait.target->path) cause.detail["file"] = *wait.target->path;
  if (wait.target->source) cause.detail["source"] = *wait.target->source;
}

bool answers_for_names(std::optional<std::uint16_t> port) {
  constexpr std::uint16_t kDomain = 53;
  return port == kDomain;
}

const std::string* find_detail(const Cause& cause, const char* name) {
  const auto it = cause.detail.find(name);
  return it != cause.detail.end() ? &it->second : nullptr;
}

}  // namespace acceptq::diagnose
