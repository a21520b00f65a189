#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>
#include <utility>

#include "base/file.h"
#include "base/numbered_entries.h"
#include "base/text.h"
#include "collect/attended.h"
#include "collect/fuse/connections.h"
#include "collect/parallel.h"
#include "collect/procfs/process.h"
#include "collect/procfs/threads.h"

namespace acceptq::collect::fuse {
namespace {

constexpr std::size_t kMaxFile = std::size_t{64} << 10;
constexpr std::size_t kMaxMounts = std::size_t{16} << 20;

std::string dir_of(const Roots& roots, Pid pid) {
  return roots.proc + "/" + std::to_string(pid.value());
}

struct Descriptors {
  std::vector<Holder> holders;
  bool complete = false;
};

Descriptors devices_open_in(const Roots& roots, Pid pid) {
  constexpr std::uint64_t kOften = 1024;
  const std::string dir = dir_of(roots, pid);
  thread_local std::vector<std::byte> buffer;
  Descriptors found;
  std::uint64_t count = 0;
  const int error = for_each_numbered_link((dir + "/fd").c_str(), buffer,
                                           [&](std::int32_t fd, std::string_view target) {
                                             if (++count % kOften == 0) still_at_work();
                                             if (target == "/dev/fuse")
                                               found.holders.push_back({.pid = pid, .fd = fd});
                                           });
  found.complete = error == 0 || error == ENOENT || error == ESRCH;
  for (Holder& holder : found.holders) {
    const auto fdinfo = read_file(dir + "/fdinfo/" + std::to_string(holder.fd), kMaxFile);
    if (fdinfo) holder.connection = parse_connection(*fdinfo);
  }
  return found;
}

// One walk of the descriptors of all processes, by their links.
Holders find_holders(const Roots& roots) {
  const auto pids = std::make_shared<const std::vector<Pid>>(procfs::list_processes(roots.proc));
  const auto found = attended_map<Descriptors>(
      pids->size(), thread_count(0),
      [pids, roots](std::size_t i) { return devices_open_in(roots, (*pids)[i]); });
  Holders holders{.complete = !pids->empty()};
  for (const std::optional<Descriptors>& of_process : found) {
    holders.complete = holders.complete && of_process && of_process->complete;
    if (!of_process) continue;
    holders.all.insert(holders.all.end(), of_process->holders.begin(), of_process->holders.end());
  }
  return holders;
}

// Where several processes hold one connection: which of them are in a call on it.
void mark_those_in_calls(const Roots& roots, Holders& holders) {
  constexpr std::size_t kMostThreads = 256;
  std::vector<WatchedProcess> shared;
  for (const Holder& holder : holders.all) {
    const bool is_shared = std::ranges::any_of(holders.all, [&](const Holder& other) {
      return holder.connection && other.connection == holder.connection && other.pid != holder.pid;
    });
    const bool is_new = shared.empty() || shared.back().pid != holder.pid;
    if (is_shared && is_new) shared.push_back({.pid = holder.pid, .listener_fds = {}});
  }
  if (shared.empty()) return;
  procfs::ThreadReader reader(roots.proc);
  for (const ThreadLook& look : reader.look(shared, kMostThreads).threads) {
    for (Holder& holder : holders.all) {
      if (holder.pid == look.pid && look.wait.fd == holder.fd) holder.in_call = true;
    }
  }
}

// How many connections there can be: those that fusectl lists, or else those that are seen mounted.
std::size_t count_connections(const Roots& roots, std::string_view seen, std::string_view own) {
  const UniqueFd dir(::open(roots.connections.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::set<std::uint64_t> devices;
  std::vector<std::byte> buffer;
  if (dir.valid()) {
    (void)for_each_number(dir.get(), buffer, [&](std::int32_t number, const char*) {
      devices.insert(static_cast<std::uint64_t>(number));
      return 0;
    });
  }
  for (const std::string_view mountinfo : {seen, own}) {
    for (const facts::FuseConnection& mount : parse_mounts(mountinfo, {})) {
      devices.insert(mount.device);
    }
  }
  return devices.size();
}

// Those of `devices` that are mounted for the observer, else for us, else nowhere that can be seen.
std::vector<facts::FuseConnection> find_mounts(std::string_view seen, std::string_view own,
                                               std::span<const std::uint64_t> devices) {
  std::vector<facts::FuseConnection> mounts = parse_mounts(seen, devices);
  const auto is_known = [&](std::uint64_t device) {
    return std::ranges::find(mounts, device, &facts::FuseConnection::device) != mounts.end();
  };
  if (!devices.empty()) {
    for (facts::FuseConnection& mount : parse_mounts(own, devices)) {
      if (!is_known(mount.device)) mounts.push_back(std::move(mount));
    }
  }
  for (const std::uint64_t device : devices) {
    if (!is_known(device)) mounts.push_back({.device = device});
  }
  std::ranges::sort(mounts, {}, &facts::FuseConnection::device);
  return mounts;
}

void describe_daemon(const std::string& stat_text, facts::FuseConnection& connection) {
  const auto stat = procfs::parse_stat(stat_text);
  if (!stat) return;
  connection.daemon_comm = stat->comm;
  connection.daemon_state = std::string(1, stat->state);
}

}  // namespace

std::vector<facts::FuseConnection> read_connections(const Roots& roots, Pid observer,
                                                    std::span<const std::uint64_t> devices) {
  const std::vector<std::string> mountinfo = read_attended(
      {dir_of(roots, observer) + "/mountinfo", roots.proc + "/self/mountinfo"}, kMaxMounts);
  std::vector<facts::FuseConnection> found = find_mounts(mountinfo[0], mountinfo[1], devices);
  if (found.empty()) return found;
  Holders holders = find_holders(roots);
  mark_those_in_calls(roots, holders);
  const std::size_t connections = count_connections(roots, mountinfo[0], mountinfo[1]);
  for (facts::FuseConnection& connection : found) {
    connection.daemon = daemon_of(holders, connection.device, connections);
    std::vector<std::string> paths{roots.connections + "/" + std::to_string(connection.device) +
                                   "/waiting"};
    if (connection.daemon) paths.push_back(dir_of(roots, *connection.daemon) + "/stat");
    // The number itself is read without a lock, but the connection is found under fuse_mutex, which
    // mounting and unmounting take (fs/fuse/control.c, fuse_conn_waiting_read).
    const std::vector<std::string> texts = read_attended(std::move(paths), kMaxFile);
    connection.waiting = parse_int<std::uint32_t>(trim(texts[0]));
    if (texts.size() > 1) describe_daemon(texts[1], connection);
  }
  return found;
}

}  // namespace acceptq::collect::fuse
