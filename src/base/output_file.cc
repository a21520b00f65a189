#include "base/output_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <optional>
#include <thread>
#include <utility>

#include "base/file.h"

namespace acceptq {
namespace {

Error cannot_write(const std::string& name, int err) {
  return errno_error(err, "cannot write " + name);
}

tl::unexpected<Error> unfit(const std::string& name, const char* why) {
  return fail(ErrorCode::kMalformed, "cannot write " + name + ": " + why);
}

// The names that mean standard output. Opening them anew would begin at the start of a file that
// the shell has opened, beside the descriptor that is already being written to.
bool names_stdout(const std::string& path) {
  return path == "-" || path == "/dev/stdout" || path == "/dev/fd/1" || path == "/proc/self/fd/1";
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

// `path`, or what is at the end of the symbolic links that begin there, whether it exists or not.
Result<std::string> end_of_links(std::string path) {
  constexpr int kMostLinks = 40;  // MAXSYMLINKS of the kernel
  for (int i = 0; i < kMostLinks; ++i) {
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0 || !S_ISLNK(status.st_mode)) return path;
    Result<std::string> next = read_link(path);
    if (!next) return next;
    path = next->starts_with('/') ? std::move(*next) : folder_of(path) + *next;
  }
  return fail_errno(ELOOP, "following " + path);
}

// A new file in the folder of `target`, and its name. Short, since the target's name may already be
// as long as a name can be.
struct Temporary {
  std::string path;
  UniqueFd fd;
};

Temporary create_beside(const std::string& target) {
  Temporary made{.path = folder_of(target) + ".acceptq-" + std::to_string(::getpid()) + ".tmp",
                 .fd = {}};
  made.fd = UniqueFd(::open(made.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  return made;
}

// Gives `fd` owner and mode of the file that it will replace. False: it cannot.
bool become_like(int fd, const struct stat& replaced) {
  struct stat own{};
  if (::fstat(fd, &own) != 0) return false;
  const bool same_owner = own.st_uid == replaced.st_uid && own.st_gid == replaced.st_gid;
  if (!same_owner && ::fchown(fd, replaced.st_uid, replaced.st_gid) != 0) return false;
  return ::fchmod(fd, replaced.st_mode & 07777U) == 0;
}

int write_in_place(const std::string& target, std::string_view bytes) {
  const UniqueFd fd(::open(target.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  if (!fd.valid()) return errno;
  if (const int err = write_all(fd.get(), bytes)) return err;
  return ::fsync(fd.get()) == 0 ? 0 : errno;
}

// open(2) of a named pipe for writing, which waits for its reader, but not for ever.
Result<UniqueFd> open_special(const std::string& path, const std::function<bool()>& give_up) {
  while (true) {
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
    if (fd.valid()) return fd;
    struct stat status{};
    if (errno != ENXIO || ::stat(path.c_str(), &status) != 0 || !S_ISFIFO(status.st_mode)) {
      return fail(cannot_write(path, errno));
    }
    if (give_up && give_up()) {
      return fail(ErrorCode::kInterrupted, "interrupted: nobody reads the pipe " + path);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

}  // namespace

int write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      pollfd ready{.fd = fd, .events = POLLOUT, .revents = 0};
      if (::poll(&ready, 1, -1) < 0 && errno != EINTR) return errno;
      continue;
    }
    if (n < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return 0;
}

Result<OutputFile> OutputFile::Open(const std::string& path, const std::function<bool()>& give_up) {
  OutputFile file;
  file.name_ = path;
  if (path.empty()) return unfit("a file without a name", "a path is needed, or - for stdout");
  if (names_stdout(path)) {
    file.name_ = "standard output";
    file.is_stdout_ = true;
    file.fd_ = UniqueFd(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    if (!file.fd_.valid()) return fail(cannot_write(file.name_, errno));
    return file;
  }
  struct stat status{};
  const bool exists = ::stat(path.c_str(), &status) == 0;
  if (!exists && errno != ENOENT) return fail(cannot_write(path, errno));
  if (exists && S_ISDIR(status.st_mode)) return unfit(path, "it is a directory");
  if (exists && S_ISBLK(status.st_mode)) return unfit(path, "it is a block device");
  if (exists && !S_ISREG(status.st_mode)) {
    Result<UniqueFd> fd = open_special(path, give_up);
    if (!fd) return fail(std::move(fd.error()));
    file.fd_ = std::move(*fd);
    return file;
  }
  Result<std::string> target = end_of_links(path);
  if (!target) return fail(std::move(target.error()));
  file.target_ = std::move(*target);
  if (exists) {
    const UniqueFd probe(::open(file.target_.c_str(), O_WRONLY | O_CLOEXEC));
    if (!probe.valid()) return fail(cannot_write(path, errno));
    return file;
  }
  if (path.ends_with('/')) return unfit(path, "there is no such directory");
  const Temporary made = create_beside(file.target_);
  if (!made.fd.valid()) return fail(cannot_write(path, errno));
  ::unlink(made.path.c_str());
  return file;
}

Status OutputFile::write(std::string_view bytes) const {
  if (!target_.empty()) return replace(bytes);
  if (const int err = write_all(fd_.get(), bytes)) return fail(cannot_write(name_, err));
  return {};
}

Status OutputFile::replace(std::string_view bytes) const {
  struct stat replaced{};
  const bool exists = ::stat(target_.c_str(), &replaced) == 0;
  // It may have become something else meanwhile.
  if (exists && !S_ISREG(replaced.st_mode)) {
    return unfit(name_, "it is no regular file any more");
  }
  int err = 0;
  Temporary made = create_beside(target_);
  const bool can_replace = made.fd.valid() && (!exists || become_like(made.fd.get(), replaced));
  if (can_replace) {
    err = write_all(made.fd.get(), bytes);
    if (err == 0 && ::fsync(made.fd.get()) != 0) err = errno;
    made.fd.reset();
    if (err == 0 && std::rename(made.path.c_str(), target_.c_str()) == 0) return {};
    if (err == 0) err = errno;
  } else if (!exists) {
    err = errno;
  }
  if (made.fd.valid() || can_replace) ::unlink(made.path.c_str());
  // A file in a folder of others, of another owner, or mounted by itself (rename: EBUSY) cannot be
  // replaced as it is; it can be written.
  if (exists && (!can_replace || err == EBUSY)) err = write_in_place(target_, bytes);
  if (err != 0) return fail(cannot_write(name_, err));
  return {};
}

}  // namespace acceptq
