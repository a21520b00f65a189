#include "collect/rooted_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "base/unique_fd.h"

namespace acceptq::collect {
namespace {

constexpr std::string_view kGlob = "*?[";

// A place in the file system, not opened: to open a FIFO or a device can do something. Symbolic
// links are followed as if `root` were the root, magic ones (/proc/PID/root) are not.
Result<UniqueFd> find_below(int root, const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  constexpr int kTries = 8;  // EAGAIN: something was renamed meanwhile (fs/namei.c, path_init)
  for (int i = 0; i < kTries; ++i) {
    const long fd = ::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how);
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    if (errno != EAGAIN && errno != EINTR) break;
  }
  if (errno == ENOSYS || errno == EPERM) {
    return fail(
        ErrorCode::kUnsupported,
        path +
            ": this kernel has no openat2() (Linux 5.6), or it is not allowed here; without "
            "it a link may lead out of the container");
  }
  return fail_errno(errno, path);
}

// Opens for reading what find_below() found.
Result<UniqueFd> open_found(const UniqueFd& found, const std::string& path, int flags) {
  const std::string self = "/proc/self/fd/" + std::to_string(found.get());
  UniqueFd fd(::open(self.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags));
  if (!fd.valid()) return fail_errno(errno, path);
  return fd;
}

// Files of these are made when they are read, and to read one may do something: /proc/kmsg takes
// the kernel's messages.
bool is_made_by_kernel(int fd) {
  static constexpr std::array<long, 9> kMade = {
      PROC_SUPER_MAGIC, SYSFS_MAGIC,        DEBUGFS_MAGIC,       TRACEFS_MAGIC, SECURITYFS_MAGIC,
      BPF_FS_MAGIC,     CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, SELINUX_MAGIC};
  struct statfs status{};
  if (::fstatfs(fd, &status) != 0) return true;
  return std::ranges::find(kMade, static_cast<long>(status.f_type)) != kMade.end();
}

Status check_regular(const UniqueFd& found, const std::string& path) {
  struct stat status{};
  if (::fstat(found.get(), &status) != 0) return fail_errno(errno, path);
  if (S_ISDIR(status.st_mode)) return fail_errno(EISDIR, path);
  if (!S_ISREG(status.st_mode)) return fail(ErrorCode::kMalformed, path + ": not a regular file");
  if (is_made_by_kernel(found.get())) {
    return fail(ErrorCode::kMalformed,
                path + ": not a file on storage, but of the kernel's making");
  }
  return {};
}

}  // namespace

std::string below_root(std::string_view path, std::string_view root_name) {
  if (root_name == "/") return std::string(path);
  if (!path.starts_with(root_name)) return {};
  path.remove_prefix(root_name.size());
  if (path.empty()) return "/";
  return path.starts_with('/') ? std::string(path) : std::string();
}

Result<config::File> RootedFiles::read_one(const std::string& path) {
  if (files_ == limits_.files) {
    return fail(ErrorCode::kTruncated,
                path + ": more than " + std::to_string(limits_.files) + " files are included");
  }
  const Result<UniqueFd> found = find_below(root_fd_, path);
  if (!found) return fail(found.error());
  if (const Status regular = check_regular(*found, path); !regular) return fail(regular.error());
  const Result<UniqueFd> fd = open_found(*found, path, 0);
  if (!fd) return fail(fd.error());
  const std::size_t left = std::min(limits_.file_bytes, limits_.all_bytes - bytes_);
  Result<std::string> text = read_descriptor(fd->get(), path, left);
  if (!text) {
    if (text.error().code != ErrorCode::kTruncated) return fail(text.error());
    return fail(ErrorCode::kTruncated,
                path + ": larger than " + std::to_string(left) + " bytes, the most that is read");
  }
  if (const std::size_t nul = text->find('\0'); nul != std::string::npos) {
    return fail(ErrorCode::kMalformed,
                path + ": not text: byte " + std::to_string(nul + 1) + " is NUL");
  }
  ++files_;
  bytes_ += text->size();
  const Result<std::string> link = read_link("/proc/self/fd/" + std::to_string(found->get()));
  std::string real = link ? below_root(*link, root_name_) : std::string();
  if (!real.starts_with('/')) real = path;
  struct stat status{};
  if (::fstat(fd->get(), &status) != 0) return fail_errno(errno, path);
  return config::File{.path = std::move(real),
                      .text = std::move(*text),
                      .identity = facts::FileIdentity{status.st_dev, status.st_ino}};
}

Result<std::vector<std::string>> RootedFiles::names_in(const std::string& directory) {
  std::vector<std::string> names;
  const Result<UniqueFd> found = find_below(root_fd_, directory);
  if (!found) {
    if (found.error().code == ErrorCode::kNotFound) return names;
    return fail(found.error());
  }
  // Of the kernel's own there are none to include, and a directory of them can be without end.
  if (is_made_by_kernel(found->get())) return names;
  Result<UniqueFd> fd = open_found(*found, directory, O_DIRECTORY);
  if (!fd) {
    if (fd.error().sys_errno == ENOTDIR) return names;
    return fail(fd.error());
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd->get()), ::closedir);
  if (!stream) return fail_errno(errno, directory);
  (void)fd->release();  // the stream's own now
  while (const dirent* entry =
             ::readdir(stream.get())) {  // NOLINT(concurrency-mt-unsafe): own stream
    if (++entries_ > limits_.directory_entries) {
      return fail(ErrorCode::kTruncated, directory + ": too many names to look at");
    }
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::ranges::sort(names);
  return names;
}

Result<std::vector<std::string>> RootedFiles::expand(const std::string& pattern) {
  std::vector<std::string> paths = {""};
  for (std::size_t begin = 1; begin <= pattern.size();) {
    const std::size_t slash = std::min(pattern.find('/', begin), pattern.size());
    const std::string component = pattern.substr(begin, slash - begin);
    begin = slash + 1;
    if (component.empty()) continue;
    if (component.find_first_of(kGlob) == std::string::npos) {
      for (std::string& path : paths) path += "/" + component;
      continue;
    }
    std::vector<std::string> matched;
    for (const std::string& path : paths) {
      const Result<std::vector<std::string>> names = names_in(path.empty() ? "/" : path);
      if (!names) return fail(names.error());
      for (const std::string& name : *names) {
        if (::fnmatch(component.c_str(), name.c_str(), FNM_PERIOD) != 0) continue;
        matched.push_back(config::absolute(name, path + "/"));
      }
    }
    paths = std::move(matched);
  }
  return paths;
}

Result<std::vector<config::File>> RootedFiles::read(const std::string& pattern) {
  std::vector<config::File> files;
  if (!pattern.starts_with('/')) {
    return fail(ErrorCode::kMalformed, pattern + ": not an absolute name");
  }
  if (pattern.find_first_of(kGlob) == std::string::npos) {
    Result<config::File> file = read_one(pattern);
    if (!file) return fail(file.error());
    files.push_back(std::move(*file));
    return files;
  }
  const Result<std::vector<std::string>> paths = expand(pattern);
  if (!paths) return fail(paths.error());
  for (const std::string& path : *paths) {
    Result<config::File> file = read_one(path);
    if (file) {
      files.push_back(std::move(*file));
    } else if (file.error().code != ErrorCode::kNotFound && file.error().sys_errno != EISDIR) {
      return fail(file.error());  // but for what is gone since, and directories
    }
  }
  return files;
}

}  // namespace acceptq::collect
