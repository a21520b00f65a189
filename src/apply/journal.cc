#include "apply/journal.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/output_file.h"
#include "base/text.h"

namespace acceptq::apply {
namespace {

Status make_folder(const std::string& folder) {
  constexpr mode_t kOwnerOnly = 0700;
  if (::mkdir(folder.c_str(), kOwnerOnly) == 0) return {};
  if (errno != EEXIST) return fail_errno(errno, "cannot make " + folder);
  struct stat status{};
  if (::lstat(folder.c_str(), &status) != 0) return fail_errno(errno, "cannot read " + folder);
  if (S_ISDIR(status.st_mode) && status.st_uid == ::geteuid() &&
      (status.st_mode & (S_IWGRP | S_IWOTH)) == 0) {
    return {};
  }
  return fail(ErrorCode::kPermission, folder + " is there, and no folder of this user's alone");
}

}  // namespace

Result<Journal> Journal::Open(const std::string& run_root) {
  const std::string folder = run_root + "/" + facts::kResizeFolder;
  const std::string above = folder.substr(0, folder.rfind('/'));
  for (const std::string& each : {above, folder}) {
    if (const Status made = make_folder(each); !made) {
      return fail({made.error().code, made.error().sys_errno,
                   "a change that is not kept in the journal could not be undone, so that none is "
                   "made (run as root): " +
                       made.error().context});
    }
  }
  return Journal(folder);
}

Status Journal::keep(const facts::Listener& listener, const facts::Resize& resize) const {
  const Result<OutputFile> file =
      OutputFile::Open(folder_ + "/" + facts::resize_file_name(listener));
  if (!file) return fail(file.error());
  return file->write(facts::to_json(resize));
}

Status Journal::forget(const facts::Listener& listener) const {
  const std::string path = folder_ + "/" + facts::resize_file_name(listener);
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  return fail_errno(errno, "cannot remove " + path);
}

void sign(facts::Resize& resize) {
  resize.uid = ::getuid();
  // NOLINTBEGIN(concurrency-mt-unsafe): nothing here changes the environment
  if (const char* uid = std::getenv("SUDO_UID")) resize.sudo_uid = parse_int<std::uint32_t>(uid);
  if (const char* user = std::getenv("SUDO_USER")) resize.sudo_user = user;
  // NOLINTEND(concurrency-mt-unsafe)
}

}  // namespace acceptq::apply
