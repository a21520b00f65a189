// Threads that wait for a disk.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "diagnose/causes/judges.h"
#include "diagnose/causes/page_faults.h"

namespace acceptq::diagnose {
namespace {

using facts::Disk;

// The part of the watched time in which anything was in flight.
double busy_share(const Disk& disk) {
  if (!disk.busy_ms || !disk.watched_ms || *disk.watched_ms == 0) return 0;
  return static_cast<double>(*disk.busy_ms) / static_cast<double>(*disk.watched_ms);
}

// The disk of a file; null where the file's file system is on none that is known.
const Disk* disk_of(const Scene& scene, const facts::FileTarget& file) {
  const auto& all = scene.observation.accept_evidence.disks;
  const auto it = std::ranges::find_if(all, [&](const Disk& disk) {
    return std::ranges::find(disk.mounts, file.device, &facts::DiskMount::device) !=
           disk.mounts.end();
  });
  return it != all.end() ? &*it : nullptr;
}

// Where no descriptor tells, the only one with a file system that was busy for as long as the
// threads waited, or nearly so.
const Disk* only_busy_disk(const Scene& scene, double share) {
  constexpr double kNearly = 0.5;
  const Disk* only = nullptr;
  for (const Disk& disk : scene.observation.accept_evidence.disks) {
    if (disk.mounts.empty() || busy_share(disk) < share * kNearly) continue;
    if (only != nullptr) return nullptr;
    only = &disk;
  }
  return only;
}

// The innermost mount point that holds the file; without a file, the only one.
const std::string* mountpoint_of(const Disk& disk, const facts::FileTarget* file) {
  const std::string* innermost = nullptr;
  for (const facts::DiskMount& mount : disk.mounts) {
    if (file == nullptr || !file->path)
      return disk.mounts.size() == 1 ? &mount.mountpoint : nullptr;
    if (mount.device != file->device ||
        !facts::is_below_mountpoint(*file->path, mount.mountpoint)) {
      continue;
    }
    if (innermost == nullptr || mount.mountpoint.size() > innermost->size()) {
      innermost = &mount.mountpoint;
    }
  }
  return innermost;
}

// How long one took, of those that ended; nothing where none did.
std::optional<double> each_ms(std::optional<std::uint64_t> count, std::optional<std::uint64_t> ms) {
  if (!ms || count.value_or(0) == 0) return std::nullopt;
  return static_cast<double>(*ms) / static_cast<double>(*count);
}

// Apart, since writes to a cache hide slow reads, and the other way round:
// "300 ms for a read and 2 ms for a write".
std::string describe_times(const Disk& disk) {
  std::string text;
  if (const auto ms = each_ms(disk.reads, disk.read_ms)) {
    text = fmt::format("{:.3g} ms for a read", *ms);
  }
  if (const auto ms = each_ms(disk.writes, disk.write_ms)) {
    text += fmt::format("{}{:.3g} ms for a write", text.empty() ? "" : " and ", *ms);
  }
  return text;
}

// What is beneath a dm or md device, and how long that took:
// " (sda beneath it 0.2 ms for a read)".
std::string describe_beneath(const Scene& scene, const Disk& disk, Cause& cause) {
  std::string names;
  std::string text;
  for (const std::string& name : disk.beneath) {
    names += (names.empty() ? "" : " ") + name;
    const auto& all = scene.observation.accept_evidence.disks;
    const auto it = std::ranges::find(all, name, &Disk::name);
    if (it == all.end()) continue;
    const std::string times = describe_times(*it);
    if (times.empty()) continue;
    text += fmt::format("{}{} beneath it {}", text.empty() ? "" : ", ", name, times);
  }
  if (!names.empty()) cause.detail["beneath"] = names;
  return text.empty() ? text : fmt::format(" ({})", text);
}

// How long its operations took; a sentence, with a blank behind it, or nothing.
std::string describe_operations(const Scene& scene, const Disk& disk, Cause& cause) {
  const std::string beneath = describe_beneath(scene, disk, cause);
  if (disk.in_flight) cause.detail["in_flight"] = std::to_string(*disk.in_flight);
  if (!disk.reads || !disk.writes) return "";
  cause.detail["operations"] = std::to_string(*disk.reads + *disk.writes);
  cause.detail["busy"] = fmt::format("{:.2f}", std::min(busy_share(disk), 1.0));
  if (*disk.reads + *disk.writes == 0) {
    return disk.in_flight.value_or(0) > 0
               ? "None of its operations ended while acceptq watched, and some are under way. "
               : "";
  }
  const auto add = [&](const char* name, std::optional<double> ms) {
    if (ms) cause.detail[name] = fmt::format("{:.1f}", *ms);
  };
  add("read_ms", each_ms(disk.reads, disk.read_ms));
  add("write_ms", each_ms(disk.writes, disk.write_ms));
  const std::string times = describe_times(disk);
  return times.empty() ? times : fmt::format("The disk took {}{}. ", times, beneath);
}

}  // namespace

std::optional<JudgedCause> judge_block(const Scene& scene) {
  auto judged = cause_of_class(scene, CauseKind::kIoBlock, WaitClass::kBlock);
  if (!judged) return std::nullopt;
  Cause& cause = judged->cause;
  const ClassTime& time = scene.time.of(WaitClass::kBlock);
  add_file(time, cause);
  // sendfile() names the socket that it writes to.
  const bool has_file = find_detail(cause, "filesystem") != nullptr;
  const facts::FileTarget* file = has_file ? &*time.with_target->target : nullptr;
  const Disk* disk = file != nullptr ? disk_of(scene, *file) : nullptr;
  if (time.most_seen && is_page_fault(*time.most_seen)) {
    // A limit of memory may be why they are read again.
    if (has_unseen_groups(scene)) return std::nullopt;
    disk = disk_of_page_faults(scene.observation, scene.time.threads);
    cause.detail["major_faults"] = std::to_string(major_faults_of(scene.time.threads));
  } else if (disk == nullptr && (file == nullptr || file->type == "overlay")) {
    disk = only_busy_disk(scene, time.share);
  }
  judged->words = "waits for a disk";
  const std::string* place = find_detail(cause, "file");
  std::string operations;
  if (disk != nullptr) {
    cause.detail["disk"] = disk->name;
    if (disk->mapper) cause.detail["mapper"] = *disk->mapper;
    judged->words = fmt::format("waits for the disk {}", disk->name);
    if (const std::string* point = mountpoint_of(*disk, file)) {
      cause.detail["mountpoint"] = *point;
      place = point;
    }
    operations = describe_operations(scene, *disk, cause);
  }
  if (place != nullptr) {
    judged->words += fmt::format(" ({})", *place);
  } else if (find_detail(cause, "major_faults") != nullptr) {
    judged->words += ", for pages of files that it has mapped";
  }
  judged->consequence = operations + kWhileStorageWaits;
  return judged;
}

}  // namespace acceptq::diagnose
