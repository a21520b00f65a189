// Threads that wait for somebody else: a lock, a pipe, the other end of a socket, a timer.
#include <fmt/format.h>

#include <algorithm>

#include "diagnose/causes/judges.h"

namespace acceptq::diagnose {
namespace {

// "10.0.0.7:3306"; empty where the socket has no such peer. Adds it to the detail.
std::string name_peer(const facts::Wait& wait, Cause& cause) {
  if (!wait.target || !wait.target->peer) return "";
  std::string name = facts::host_and_port(*wait.target->peer, wait.target->peer_port.value_or(0));
  cause.detail["peer"] = name;
  return name;
}

}  // namespace

std::optional<JudgedCause> judge_lock(const Scene& scene) {
  auto judged = cause_of_class(scene, CauseKind::kLock, WaitClass::kLock);
  if (!judged) return std::nullopt;
  // In a pool threads wait at a lock for work: only those that are known to accept tell.
  if (scene.time.certainty == Certainty::kGroup) return std::nullopt;
  const facts::Wait& wait = *scene.time.of(WaitClass::kLock).most_seen;
  judged->words = "waits for a lock";
  if (wait.lock) {
    judged->cause.detail["lock"] = fmt::format("{:#x}", *wait.lock);
    judged->words += fmt::format(" (futex at {:#x})", *wait.lock);
  }
  const bool moved = std::ranges::any_of(scene.time.threads, [](const auto* thread) {
    return thread->times.voluntary.value_or(1) > 0;
  });
  judged->cause.detail["moved"] = moved ? "yes" : "no";
  judged->consequence = moved ? "Whoever holds the lock decides how fast connections are taken."
                              : "None of its threads moved while acceptq watched: a deadlock, or a "
                                "holder that waits for something else.";
  return judged;
}

std::optional<JudgedCause> judge_pipe(const Scene& scene) {
  auto judged = cause_of_class(scene, CauseKind::kPipe, WaitClass::kPipe);
  if (!judged) return std::nullopt;
  const facts::Wait& wait = *scene.time.of(WaitClass::kPipe).most_seen;
  judged->words = "waits for room in a full pipe";
  if (wait.fd) {
    judged->cause.detail["fd"] = std::to_string(*wait.fd);
    judged->words += fmt::format(" (descriptor {})", *wait.fd);
  }
  if (wait.target && wait.target->path) judged->cause.detail["path"] = *wait.target->path;
  judged->consequence =
      "Whoever reads from the pipe, often what collects its log, has stopped or is slow.";
  return judged;
}

std::optional<JudgedCause> judge_client(const Scene& scene) {
  auto judged = cause_of_class(scene, CauseKind::kClient, WaitClass::kClient);
  if (!judged) return std::nullopt;
  const std::string peer = name_peer(*scene.time.of(WaitClass::kClient).most_seen, judged->cause);
  judged->words = fmt::format("waits for one client at a time (now {})", peer);
  judged->consequence =
      "A client that is slow to send, or a TLS handshake, holds up all that wait behind it.";
  return judged;
}

std::optional<JudgedCause> judge_upstream(const Scene& scene) {
  auto judged = cause_of_class(scene, CauseKind::kUpstream, WaitClass::kPeer);
  if (!judged) return std::nullopt;
  const std::string peer = name_peer(*scene.time.of(WaitClass::kPeer).most_seen, judged->cause);
  judged->words = peer.empty() ? "waits for the other end of a socket"
                               : fmt::format("waits for an answer of {}", peer);
  if (peer.empty()) judged->confidence = std::min(judged->confidence, 0.7);
  judged->consequence = "While it waits it takes nothing from the queue.";
  return judged;
}

std::optional<JudgedCause> judge_sleep(const Scene& scene) {
  auto judged = cause_of_class(scene, CauseKind::kSleep, WaitClass::kSleep);
  if (!judged || scene.time.certainty == Certainty::kGroup) return std::nullopt;
  // One that only sleeps need have nothing to do with the listener.
  if (sleeps_for_good(scene)) return std::nullopt;
  judged->words = "sleeps, by a timer that it set itself";
  judged->consequence = "While it sleeps it takes nothing from the queue.";
  return judged;
}

}  // namespace acceptq::diagnose
