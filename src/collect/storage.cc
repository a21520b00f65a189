#include "collect/storage.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "base/bytes.h"
#include "base/file.h"
#include "base/numbered_entries.h"
#include "base/text.h"
#include "collect/attended.h"
#include "collect/parallel.h"
#include "collect/procfs/process.h"
#include "evidence/mount_line.h"

namespace acceptq::collect {
namespace {

constexpr std::size_t kMostBytes = std::size_t{16} << 20;
// Descriptors of one process that are looked at for /dev/fuse: a daemon opens it first of all.
constexpr int kMostDescriptors = 256;

// A process that has a connection open to answer its requests.
struct Daemon {
  std::optional<std::uint64_t> connection;  // where the kernel says which
  Pid pid;
  std::string comm;
  std::string state;
};

std::vector<Daemon> daemons_in(const std::string& proc_root, Pid pid) {
  std::vector<Daemon> daemons;
  const std::string folder = fmt::format("{}/{}", proc_root, pid.value());
  std::vector<std::byte> buffer;
  std::vector<std::int32_t> open;
  int seen = 0;
  static_cast<void>(for_each_numbered_link(
      (folder + "/fd").c_str(), buffer, [&](std::int32_t fd, std::string_view target) {
        if (++seen <= kMostDescriptors && target == "/dev/fuse") open.push_back(fd);
      }));
  if (open.empty()) return daemons;
  const Result<std::string> stat_text = read_file(folder + "/stat", kMostBytes);
  const auto stat = stat_text ? procfs::parse_stat(*stat_text) : fail(stat_text.error());
  if (!stat) return daemons;
  for (const std::int32_t fd : open) {
    const Result<std::string> info = read_file(fmt::format("{}/fdinfo/{}", folder, fd), kMostBytes);
    daemons.push_back({.connection = info ? parse_fuse_connection(*info) : std::nullopt,
                       .pid = pid,
                       .comm = stat->comm,
                       .state = std::string(1, stat->state)});
  }
  return daemons;
}

std::vector<Pid> all_processes(const std::string& proc_root) {
  std::vector<Pid> pids;
  const UniqueFd dir(::open(proc_root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::vector<std::byte> buffer;
  if (!dir.valid()) return pids;
  static_cast<void>(for_each_number(dir.get(), buffer, [&](std::int32_t pid, const char*) {
    pids.emplace_back(pid);
    return 0;
  }));
  return pids;
}

std::vector<Daemon> all_daemons(const std::string& proc_root) {
  const auto pids = std::make_shared<std::vector<Pid>>(all_processes(proc_root));
  const auto found = attended_map<std::vector<Daemon>>(
      pids->size(), thread_count(0),
      [pids, proc_root](std::size_t i) { return daemons_in(proc_root, (*pids)[i]); });
  std::vector<Daemon> daemons;
  for (const auto& of_process : found) {
    if (of_process) daemons.insert(daemons.end(), of_process->begin(), of_process->end());
  }
  std::ranges::stable_sort(daemons, {}, &Daemon::pid);
  return daemons;
}

// A child may have inherited the descriptor: the first is the one that opened it.
const Daemon* daemon_of(const std::vector<Daemon>& daemons, std::uint64_t device) {
  constexpr std::uint64_t kMinor = (1U << 20U) - 1;
  const bool told =
      std::ranges::any_of(daemons, [](const Daemon& each) { return each.connection.has_value(); });
  if (!told) {
    const bool only = !daemons.empty() && daemons.front().pid == daemons.back().pid;
    return only ? daemons.data() : nullptr;
  }
  const auto it = std::ranges::find(daemons, std::optional(device & kMinor), &Daemon::connection);
  return it != daemons.end() ? &*it : nullptr;
}

// Reads a file of a process that may not answer.
std::optional<std::string> read_attended(const std::string& path) {
  auto texts = attended_map<std::optional<std::string>>(
      1, 1, [path](std::size_t) -> std::optional<std::string> {
        Result<std::string> text = read_file(path, kMostBytes);
        if (!text) return std::nullopt;
        return std::move(*text);
      });
  return texts[0] ? std::move(*texts[0]) : std::nullopt;
}

}  // namespace

std::vector<facts::FuseConnection> parse_fuse_mounts(std::string_view mountinfo,
                                                     std::span<const std::uint64_t> devices) {
  std::vector<facts::FuseConnection> mounts;
  while (!mountinfo.empty()) {
    const auto mount = evidence::parse_mount_line(next_line(mountinfo));
    if (!mount || (mount->type != "fuse" && !mount->type.starts_with("fuse."))) continue;
    if (!devices.empty() && std::ranges::find(devices, mount->device) == devices.end()) continue;
    if (std::ranges::find(mounts, mount->device, &facts::FuseConnection::device) != mounts.end()) {
      continue;
    }
    facts::FuseConnection& fuse = mounts.emplace_back();
    fuse.device = mount->device;
    fuse.mountpoint = decode_octal_escapes(mount->point);
    fuse.type = std::string(mount->type);
  }
  return mounts;
}

std::optional<std::uint64_t> parse_fuse_connection(std::string_view fdinfo) {
  constexpr std::string_view kLabel = "fuse_connection:";
  while (!fdinfo.empty()) {
    const std::string_view line = next_line(fdinfo);
    if (line.starts_with(kLabel)) return parse_int<std::uint64_t>(trim(line.substr(kLabel.size())));
  }
  return std::nullopt;
}

std::vector<facts::FuseConnection> read_fuse(const std::string& proc_root, Pid observer,
                                             std::span<const std::uint64_t> devices) {
  const auto text = read_attended(fmt::format("{}/{}/mountinfo", proc_root, observer.value()));
  std::vector<facts::FuseConnection> mounts =
      text ? parse_fuse_mounts(*text, devices) : std::vector<facts::FuseConnection>{};
  if (mounts.empty()) return mounts;
  const std::vector<Daemon> daemons = all_daemons(proc_root);
  for (facts::FuseConnection& fuse : mounts) {
    // fs/fuse/control.c, where fusectl is mounted; the number of requests is read without a lock.
    constexpr std::uint64_t kMinor = (1U << 20U) - 1;
    const Result<std::string> waiting =
        read_file(fmt::format("/sys/fs/fuse/connections/{}/waiting", fuse.device & kMinor));
    if (waiting) fuse.waiting = parse_int<std::uint32_t>(trim(*waiting));
    const Daemon* daemon = daemon_of(daemons, fuse.device);
    if (daemon == nullptr) continue;
    fuse.daemon = daemon->pid;
    fuse.daemon_comm = daemon->comm;
    fuse.daemon_state = daemon->state;
  }
  return mounts;
}

std::vector<evidence::NfsMountStats> read_nfs(const std::string& proc_root, Pid observer) {
  const auto text = read_attended(fmt::format("{}/{}/mountstats", proc_root, observer.value()));
  return text ? evidence::parse_mountstats(*text) : std::vector<evidence::NfsMountStats>{};
}

std::vector<facts::NfsMount> nfs_between(const std::vector<evidence::NfsMountStats>& earlier,
                                         const std::vector<evidence::NfsMountStats>& later) {
  std::vector<facts::NfsMount> mounts;
  for (const evidence::NfsMountStats& now : later) {
    facts::NfsMount& mount = mounts.emplace_back();
    mount.source = now.source;
    mount.mountpoint = now.mountpoint;
    const auto before = std::ranges::find_if(earlier, [&](const evidence::NfsMountStats& each) {
      return each.source == now.source && each.mountpoint == now.mountpoint;
    });
    if (before == earlier.end()) continue;
    const evidence::NfsTotals& from = before->totals;
    const evidence::NfsTotals& to = now.totals;
    const auto difference = [](std::uint64_t a, std::uint64_t b) {
      return b >= a ? std::optional(b - a) : std::nullopt;  // it was mounted anew
    };
    mount.operations = difference(from.operations, to.operations);
    const auto transmissions = difference(from.transmissions, to.transmissions);
    if (mount.operations && transmissions) {
      mount.repeated = *transmissions - std::min(*transmissions, *mount.operations);
    }
    mount.major_timeouts = difference(from.major_timeouts, to.major_timeouts);
    mount.queue_ms = difference(from.queue_ms, to.queue_ms);
    mount.round_trip_ms = difference(from.round_trip_ms, to.round_trip_ms);
    mount.execute_ms = difference(from.execute_ms, to.execute_ms);
  }
  return mounts;
}

}  // namespace acceptq::collect
