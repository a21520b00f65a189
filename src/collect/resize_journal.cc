#include "collect/resize_journal.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/file.h"

namespace acceptq::collect {
namespace {

constexpr std::size_t kMostFiles = 10'000;
constexpr std::size_t kMostBytes = std::size_t{1} << 20;

bool is_trusted(const std::string& folder, ResizeJournal& journal) {
  struct stat status{};
  if (::lstat(folder.c_str(), &status) != 0) {
    if (errno != ENOENT) journal.errors.push_back(errno_error(errno, "cannot read " + folder));
    return false;
  }
  const bool is_ours = status.st_uid == 0 || status.st_uid == ::geteuid();
  if (S_ISDIR(status.st_mode) && is_ours && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0)
    return true;
  journal.errors.push_back({ErrorCode::kPermission, 0,
                            folder + " is not believed: it is no folder that only root can write"});
  return false;
}

}  // namespace

ResizeJournal read_resize_journal(const std::string& run_root) {
  ResizeJournal journal;
  const std::string folder = run_root + "/" + facts::kResizeFolder;
  if (!is_trusted(folder, journal)) return journal;
  std::vector<std::string> paths;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().extension() == ".json" && paths.size() < kMostFiles) {
      paths.push_back(it->path());
    }
  }
  if (error) journal.errors.push_back(errno_error(error.value(), "cannot read " + folder));
  std::ranges::sort(paths);
  for (const std::string& path : paths) {
    const Result<std::string> text = read_file(path, kMostBytes);
    // Another acceptq has undone it meanwhile.
    if (!text && text.error().code == ErrorCode::kNotFound) continue;
    Result<facts::Resize> resize = text ? facts::resize_from_json(*text) : fail(text.error());
    if (resize) {
      journal.resizes.push_back(std::move(*resize));
    } else {
      resize.error().context = path + ": " + resize.error().context;
      journal.errors.push_back(std::move(resize.error()));
    }
  }
  return journal;
}

}  // namespace acceptq::collect
