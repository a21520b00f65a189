#include "apply/file_change.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/output_file.h"
#include "base/unique_fd.h"

namespace acceptq::apply {
namespace {

constexpr std::size_t kMostBytes = std::size_t{16} << 20;

// The folder of a path and the name in it.
struct Place {
  UniqueFd folder;
  std::string name;
  std::string path;
};

Result<UniqueFd> open_folder(const std::string& path) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS;
  const long fd = ::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how);
  if (fd < 0) return fail_errno(errno, "cannot open " + path);
  return UniqueFd(static_cast<int>(fd));
}

Result<Place> place_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (!path.starts_with('/') || slash + 1 == path.size()) {
    return fail(ErrorCode::kMalformed, path + " is no absolute name of a file");
  }
  const std::string folder = slash == 0 ? "/" : path.substr(0, slash);
  Result<UniqueFd> opened = open_folder(folder);
  if (!opened) return fail(std::move(opened.error()));
  return Place{.folder = std::move(*opened), .name = path.substr(slash + 1), .path = path};
}

struct Present {
  UniqueFd fd;
  struct stat status{};
  std::string text;
};

Result<Present> read_present(const Place& place) {
  constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  Present present{.fd = UniqueFd(::openat(place.folder.get(), place.name.c_str(), kFlags))};
  if (!present.fd.valid()) return fail_errno(errno, "cannot open " + place.path);
  if (::fstat(present.fd.get(), &present.status) != 0) return fail_errno(errno, place.path);
  if (!S_ISREG(present.status.st_mode)) {
    return fail(ErrorCode::kMalformed, place.path + " is no regular file any more");
  }
  Result<std::string> text = read_descriptor(present.fd.get(), place.path, kMostBytes);
  if (!text) return fail(std::move(text.error()));
  present.text = std::move(*text);
  return present;
}

// Access lists, labels of security modules: those that can be given to it.
void copy_attributes(int from, int to) {
  std::array<char, 4096> names{};
  const ssize_t size = ::flistxattr(from, names.data(), names.size());
  for (ssize_t at = 0; at < size;) {
    const char* name = names.data() + at;
    std::array<char, 4096> value{};
    const ssize_t length = ::fgetxattr(from, name, value.data(), value.size());
    if (length >= 0) {
      static_cast<void>(::fsetxattr(to, name, value.data(), static_cast<std::size_t>(length), 0));
    }
    at += static_cast<ssize_t>(std::string_view(name).size()) + 1;
  }
}

Status become_like(int fd, const Present& replaced, const std::string& path) {
  if (::fchown(fd, replaced.status.st_uid, replaced.status.st_gid) != 0 ||
      ::fchmod(fd, replaced.status.st_mode & 07777U) != 0) {
    return fail_errno(errno, "cannot give the new " + path + " the owner and mode of the old one");
  }
  copy_attributes(replaced.fd.get(), fd);
  return {};
}

Status write_and_sync(int fd, std::string_view text, const std::string& path) {
  if (const int err = write_all(fd, text)) return fail_errno(err, "cannot write " + path);
  if (::fsync(fd) != 0) return fail_errno(errno, "cannot write " + path);
  return {};
}

constexpr int kCreate = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;

// `replaced` is what `place` holds; empty: nothing.
Status put(const Place& place, std::string_view text, const Present* replaced) {
  // Hidden, so that no include pattern matches it.
  const std::string temporary = ".acceptq-" + std::to_string(::getpid()) + ".tmp";
  const UniqueFd fd(::openat(place.folder.get(), temporary.c_str(), kCreate, 0644));
  if (!fd.valid()) return fail_errno(errno, "cannot write beside " + place.path);
  Status status = replaced != nullptr ? become_like(fd.get(), *replaced, place.path) : Status{};
  if (status) status = write_and_sync(fd.get(), text, place.path);
  const unsigned flags = replaced != nullptr ? 0 : RENAME_NOREPLACE;
  if (status && ::renameat2(place.folder.get(), temporary.c_str(), place.folder.get(),
                            place.name.c_str(), flags) != 0) {
    status = fail_errno(errno, "cannot replace " + place.path);
  }
  if (!status) {
    ::unlinkat(place.folder.get(), temporary.c_str(), 0);
    return status;
  }
  ::fsync(place.folder.get());
  return {};
}

Status make_file(const facts::FileStep& step) {
  const std::string folder = step.path.substr(0, step.path.rfind('/'));
  if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) {
    return fail_errno(errno, "cannot make " + folder);
  }
  const Result<Place> place = place_of(step.path);
  if (!place) return fail(place.error());
  return put(*place, step.after, nullptr);
}

Error changed_since(const std::string& path) {
  return {ErrorCode::kInterrupted, 0, path + " has been changed by somebody else meanwhile"};
}

}  // namespace

Status change_file(const facts::FileStep& step) {
  if (!step.before) return make_file(step);
  const Result<Place> place = place_of(step.path);
  if (!place) return fail(place.error());
  const Result<Present> present = read_present(*place);
  if (!present) return fail(present.error());
  const facts::FileIdentity here{present->status.st_dev, present->status.st_ino};
  if (step.identity && *step.identity != here) {
    return fail(ErrorCode::kUnsupported,
                step.path +
                    " of this host is not the file that the server reads: it sees other "
                    "files here, or it was replaced meanwhile");
  }
  if (present->text != *step.before) return fail(changed_since(step.path));
  return put(*place, step.after, &*present);
}

Status put_back_file(const facts::FileStep& step) {
  const Result<Place> place = place_of(step.path);
  if (!place) return fail(place.error());
  const Result<Present> present = read_present(*place);
  if (!present) return fail(present.error());
  if (step.before && present->text == *step.before) return {};
  if (present->text != step.after) return fail(changed_since(step.path));
  if (step.before) return put(*place, *step.before, &*present);
  if (::unlinkat(place->folder.get(), place->name.c_str(), 0) == 0) return {};
  return fail_errno(errno, "cannot remove " + step.path);
}

}  // namespace acceptq::apply
