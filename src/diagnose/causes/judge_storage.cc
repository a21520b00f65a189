// Threads that wait for storage behind a process or a network.
#include <fmt/format.h>

#include <algorithm>

#include "diagnose/causes/judges.h"

namespace acceptq::diagnose {
namespace {

// The connection of the file system that the threads wait for: that of their descriptor, or the
// only one that owes an answer. A call that opens a file has no descriptor yet.
const facts::FuseConnection* connection_of(const Scene& scene, const facts::Wait& wait) {
  const auto& all = scene.observation.accept_evidence.fuse;
  if (wait.target && wait.target->type.starts_with("fuse")) {
    const auto it = std::ranges::find(all, wait.target->device, &facts::FuseConnection::device);
    return it != all.end() ? &*it : nullptr;
  }
  const facts::FuseConnection* only = nullptr;
  for (const facts::FuseConnection& fuse : all) {
    if (all.size() > 1 && fuse.waiting.value_or(0) == 0) continue;
    if (only != nullptr) return nullptr;
    only = &fuse;
  }
  return only;
}

std::string describe_daemon(const facts::FuseConnection& fuse, Cause& cause) {
  if (!fuse.daemon) return "";
  cause.detail["daemon_pid"] = std::to_string(fuse.daemon->value());
  if (fuse.daemon_comm) cause.detail["daemon"] = *fuse.daemon_comm;
  if (fuse.daemon_state) cause.detail["daemon_state"] = *fuse.daemon_state;
  std::string text = fmt::format(", served by {} pid {}", fuse.daemon_comm.value_or("a daemon"),
                                 fuse.daemon->value());
  if (is_stopped(fuse.daemon_state.value_or(""))) text += ", which is stopped";
  return text;
}

// That of the descriptor; a call that opens a file has none yet, and then the only one is it.
const facts::NfsMount* nfs_mount_of(const Scene& scene, const std::string* source) {
  const auto& all = scene.observation.accept_evidence.nfs;
  if (source == nullptr) return all.size() == 1 ? all.data() : nullptr;
  const auto it = std::ranges::find(all, *source, &facts::NfsMount::source);
  return it != all.end() ? &*it : nullptr;
}

// How long its operations took; a sentence, with a blank behind it, or nothing.
std::string describe_operations(const facts::NfsMount* mount, Cause& cause) {
  if (mount == nullptr || !mount->operations) return "";
  cause.detail["mountpoint"] = mount->mountpoint;
  cause.detail["operations"] = std::to_string(*mount->operations);
  if (mount->repeated) cause.detail["repeated"] = std::to_string(*mount->repeated);
  if (*mount->operations == 0) return "None of its operations ended while acceptq watched. ";
  if (!mount->execute_ms || !mount->round_trip_ms) return "";
  const double all = static_cast<double>(*mount->operations);
  const double execute = static_cast<double>(*mount->execute_ms) / all;
  const double round_trip = static_cast<double>(*mount->round_trip_ms) / all;
  cause.detail["execute_ms"] = fmt::format("{:.1f}", execute);
  cause.detail["round_trip_ms"] = fmt::format("{:.1f}", round_trip);
  return fmt::format("An operation took {:.3g} ms, {:.3g} of them until the server answered. ",
                     execute, round_trip);
}

}  // namespace

std::optional<JudgedCause> judge_fuse(const Scene& scene) {
  auto judged = cause_of_class(scene, CauseKind::kIoFuse, WaitClass::kFuse);
  if (!judged) return std::nullopt;
  const ClassTime& time = scene.time.of(WaitClass::kFuse);
  const facts::Wait& wait = time.with_target != nullptr ? *time.with_target : *time.most_seen;
  add_file(time, judged->cause);
  std::string place;
  std::string daemon;
  if (const facts::FuseConnection* fuse = connection_of(scene, wait); fuse != nullptr) {
    if (fuse->mountpoint) judged->cause.detail["mountpoint"] = *fuse->mountpoint;
    daemon = describe_daemon(*fuse, judged->cause);
  }
  if (const std::string* mountpoint = find_detail(judged->cause, "mountpoint")) {
    place = *mountpoint;
  } else if (const std::string* path = find_detail(judged->cause, "file")) {
    place = *path;
  }
  judged->words = "waits for a FUSE file system";
  if (!place.empty()) judged->words += fmt::format(" ({}{})", place, daemon);
  judged->consequence = kWhileStorageWaits;
  return judged;
}

std::optional<JudgedCause> judge_nfs(const Scene& scene) {
  auto judged = cause_of_class(scene, CauseKind::kIoNfs, WaitClass::kNfs);
  if (!judged) return std::nullopt;
  Cause& cause = judged->cause;
  add_file(scene.time.of(WaitClass::kNfs), cause);
  const std::string* source = find_detail(cause, "source");
  const facts::NfsMount* mount = nfs_mount_of(scene, source);
  if (mount != nullptr && source == nullptr) source = &(cause.detail["source"] = mount->source);
  judged->words = "waits for NFS";
  if (source != nullptr) {
    judged->words += fmt::format(" ({})", *source);
    if (const std::size_t colon = source->rfind(":/"); colon != std::string::npos) {
      cause.detail["server"] = source->substr(0, colon);
      cause.detail["path"] = source->substr(colon + 1);
    }
  }
  judged->consequence = describe_operations(mount, cause) + kWhileStorageWaits;
  return judged;
}

}  // namespace acceptq::diagnose
