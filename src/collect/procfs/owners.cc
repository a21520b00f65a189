#include "collect/procfs/owners.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <optional>
#include <unordered_set>
#include <utility>

#include "base/file.h"
#include "base/numbered_entries.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "collect/attended.h"
#include "collect/procfs/process.h"

namespace acceptq::collect::procfs {
namespace {

constexpr std::size_t kExamples = 5;

using Wanted = std::unordered_set<SocketInode>;

// The descriptors of one process.
struct Table {
  int error = 0;  // errno of what could not be read
  std::uint64_t descriptors = 0;
  std::vector<std::pair<SocketInode, int>> found;
};

Table read_table(const std::string& dir_path, const Wanted& wanted) {
  constexpr std::uint64_t kOften = 1024;
  thread_local std::vector<std::byte> buffer;
  Table table;
  table.error = for_each_numbered_link(
      dir_path.c_str(), buffer, [&](std::int32_t fd, std::string_view target) {
        if (++table.descriptors % kOften == 0) still_at_work();
        const std::optional<SocketInode> socket = parse_socket_link(target);
        if (socket && wanted.contains(*socket)) table.found.emplace_back(*socket, fd);
      });
  return table;
}

void account(Pid pid, int err, OwnerWalk& walk) {
  if (err == 0) {
    ++walk.processes;
  } else if (err == ENOENT || err == ESRCH) {
    ++walk.vanished;
  } else if (err == EACCES || err == EPERM) {
    ++walk.denied;
    if (walk.denied_examples.size() < kExamples) walk.denied_examples.push_back(pid);
  } else if (walk.failures.size() < kExamples) {
    walk.failures.push_back(
        errno_error(err, "cannot read the descriptors of pid " + std::to_string(pid.value()))
            .message());
  }
}

}  // namespace

Result<OwnerWalk> walk_socket_owners(const OwnerWalkOptions& options,
                                     std::span<const SocketInode> wanted) {
  const UniqueFd proc(::open(options.proc_root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!proc.valid()) return fail_errno(errno, "cannot open " + options.proc_root);
  std::vector<std::byte> buffer;
  std::vector<Pid> pids;
  const int err = for_each_number(proc.get(), buffer, [&](std::int32_t pid, const char*) {
    if (!std::ranges::binary_search(options.skip, Pid(pid))) pids.emplace_back(pid);
    return 0;
  });
  if (err != 0) return fail_errno(err, "cannot list " + options.proc_root);

  const auto sockets = std::make_shared<const Wanted>(wanted.begin(), wanted.end());
  const auto tables = attended_map<Table>(
      pids.size(), options.threads, [pids, sockets, root = options.proc_root](std::size_t i) {
        return read_table(root + "/" + std::to_string(pids[i].value()) + "/fd", *sockets);
      });
  OwnerWalk walk;
  walk.stuck = options.skip;
  for (std::size_t i = 0; i < pids.size(); ++i) {
    if (!tables[i]) {
      walk.stuck.push_back(pids[i]);
      continue;
    }
    account(pids[i], tables[i]->error, walk);
    walk.descriptors += tables[i]->descriptors;
    for (const auto& [socket, fd] : tables[i]->found) {
      walk.owners[socket].push_back(facts::OwnerRef{pids[i], fd});
    }
  }
  for (auto& [socket, owners] : walk.owners) std::sort(owners.begin(), owners.end());
  // PID 1 lives as long as its PID namespace does; where nothing of it can be seen, the mount hides
  // others' processes (hidepid, fs/proc/base.c, proc_pid_permission).
  walk.hides_processes = ::faccessat(proc.get(), "1/status", F_OK, 0) != 0;
  return walk;
}

bool still_owns(const std::string& proc_root, const facts::OwnerRef& owner, SocketInode socket) {
  const Result<std::string> target = read_link(proc_root + "/" + std::to_string(owner.pid.value()) +
                                               "/fd/" + std::to_string(owner.fd));
  return target && parse_socket_link(*target) == socket;
}

}  // namespace acceptq::collect::procfs
