#include "base/own_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

namespace acceptq {

namespace {

enum class Owner { kCaller, kCallerOrRoot };

Status check_folder(const std::string& path, Owner owner) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return fail_errno(errno, "cannot read " + path);
  const bool is_ours =
      status.st_uid == ::geteuid() || (owner == Owner::kCallerOrRoot && status.st_uid == 0);
  if (S_ISDIR(status.st_mode) && is_ours && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0) return {};
  return fail(ErrorCode::kPermission,
              path + " is not believed: it is no folder that only root or this user can write to");
}

}  // namespace

Status make_own_folder(const std::string& path) {
  constexpr mode_t kOwnerOnly = 0700;
  if (::mkdir(path.c_str(), kOwnerOnly) == 0) return {};
  if (errno != EEXIST) return fail_errno(errno, "cannot make " + path);
  return check_folder(path, Owner::kCaller);
}

Status check_own_folder(const std::string& path) {
  return check_folder(path, Owner::kCallerOrRoot);
}

Result<std::vector<std::string>> paths_in(const std::string& folder, const std::string& suffix,
                                          std::size_t most) {
  std::vector<std::string> paths;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    if (paths.size() == most) break;
    if (it->path().native().ends_with(suffix)) paths.push_back(it->path());
  }
  if (error) return fail_errno(error.value(), "cannot read " + folder);
  std::ranges::sort(paths);
  return paths;
}

}  // namespace acceptq
