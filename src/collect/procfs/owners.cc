#include "collect/procfs/owners.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <unordered_set>

#include "base/file.h"
#include "base/numbered_entries.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "collect/procfs/process.h"

namespace acceptq::collect::procfs {
namespace {

constexpr std::size_t kExamples = 5;

bool means_vanished(int err) { return err == ENOENT || err == ESRCH; }

class Walk {
 public:
  Walk(int proc_fd, std::span<const SocketInode> wanted)
      : proc_fd_(proc_fd), wanted_(wanted.begin(), wanted.end()) {}

  int run() {
    return for_each_number(proc_fd_, pid_buffer_, [this](std::int32_t pid, const char* name) {
      visit_process(Pid(pid), name);
      return 0;
    });
  }

  OwnerWalk take() {
    for (auto& [socket, owners] : walk_.owners) std::sort(owners.begin(), owners.end());
    return std::move(walk_);
  }

 private:
  void visit_process(Pid pid, const char* name) {
    const std::string path = std::string(name) + "/fd";
    const UniqueFd dir(::openat(proc_fd_, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!dir.valid()) return account(pid, errno);
    const int err =
        for_each_number(dir.get(), fd_buffer_, [&](std::int32_t fd, const char* fd_name) -> int {
          std::array<char, 64> target;  // longer ones are no sockets
          const ssize_t n = ::readlinkat(dir.get(), fd_name, target.data(), target.size());
          // ENOENT: closed since, or the process is exiting; the rest of its table will tell.
          if (n < 0) return errno == ENOENT ? 0 : errno;
          ++walk_.descriptors;
          const std::string_view text(target.data(), static_cast<std::size_t>(n));
          const std::optional<SocketInode> socket = parse_socket_link(text);
          if (socket && wanted_.contains(*socket)) {
            walk_.owners[*socket].push_back(facts::OwnerRef{pid, fd});
          }
          return 0;
        });
    if (err != 0) return account(pid, err);
    ++walk_.processes;
  }

  void account(Pid pid, int err) {
    if (means_vanished(err)) {
      ++walk_.vanished;
    } else if (err == EACCES || err == EPERM) {
      ++walk_.denied;
      if (walk_.denied_examples.size() < kExamples) walk_.denied_examples.push_back(pid);
    } else if (walk_.failures.size() < kExamples) {
      walk_.failures.push_back(
          errno_error(err, "cannot read the descriptors of pid " + std::to_string(pid.value()))
              .message());
    }
  }

  int proc_fd_;
  std::unordered_set<SocketInode> wanted_;
  OwnerWalk walk_;
  std::vector<std::byte> pid_buffer_;
  std::vector<std::byte> fd_buffer_;
};

}  // namespace

Result<OwnerWalk> walk_socket_owners(const std::string& proc_root,
                                     std::span<const SocketInode> wanted) {
  const UniqueFd proc(::open(proc_root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!proc.valid()) return fail_errno(errno, "cannot open " + proc_root);
  Walk walk(proc.get(), wanted);
  if (const int err = walk.run(); err != 0) return fail_errno(err, "cannot list " + proc_root);
  OwnerWalk result = walk.take();
  // PID 1 lives as long as its PID namespace does; where nothing of it can be seen, the mount hides
  // others' processes (hidepid, fs/proc/base.c, proc_pid_permission).
  result.hides_processes = ::faccessat(proc.get(), "1/stat", F_OK, 0) != 0;
  return result;
}

bool still_owns(const std::string& proc_root, const facts::OwnerRef& owner, SocketInode socket) {
  const Result<std::string> target = read_link(proc_root + "/" + std::to_string(owner.pid.value()) +
                                               "/fd/" + std::to_string(owner.fd));
  return target && parse_socket_link(*target) == socket;
}

}  // namespace acceptq::collect::procfs
