#include "collect/procfs/owners.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <unordered_set>

#include "base/file.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "collect/procfs/process.h"

namespace acceptq::collect::procfs {
namespace {

constexpr std::size_t kExamples = 5;
constexpr std::size_t kDirentBytes = std::size_t{64} << 10;

// Calls `visit` with each entry whose name is a number, until `visit` returns an errno other than
// 0. Returns that, or getdents64's own. readdir(3) would do, but allocates per directory and copies
// once more, for every process of the host.
template <typename Visit>
int for_each_number(int dir_fd, std::vector<std::byte>& buffer, Visit visit) {
  buffer.resize(kDirentBytes);
  while (true) {
    const long bytes = ::syscall(SYS_getdents64, dir_fd, buffer.data(), buffer.size());
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return errno;
    if (bytes == 0) return 0;
    for (std::size_t at = 0; at < static_cast<std::size_t>(bytes);) {
      // linux_dirent64 (include/linux/dirent.h), which is what glibc calls dirent64.
      const std::byte* const entry = buffer.data() + at;
      std::uint16_t length = 0;
      std::memcpy(&length, entry + offsetof(dirent64, d_reclen), sizeof length);
      const char* const name = reinterpret_cast<const char*>(entry + offsetof(dirent64, d_name));
      at += length;
      const std::optional<std::int32_t> number = parse_int<std::int32_t>(std::string_view(name));
      if (!number || *number < 0) continue;
      if (const int err = visit(*number, name); err != 0) return err;
    }
  }
}

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
