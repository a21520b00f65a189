// Small regular files below a root that is not ours and may be hostile: a container's. Nothing is
// followed out of the root, and nothing is read but regular files of file systems that hold files.
// Any call may hang where storage is dead: for a process that can be killed (config_files.h).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/edit.h"

namespace acceptq::collect {

struct RootedLimits {
  std::size_t file_bytes = std::size_t{1} << 20;
  std::size_t all_bytes = std::size_t{8} << 20;
  std::size_t files = 512;
  std::size_t directory_entries = 20000;  // looked at in all, to expand patterns
};

class RootedFiles {
 public:
  // `root_fd`, a directory (O_PATH will do), stays the caller's and must outlive the object.
  // `root_name` is what links of /proc/self/fd show before what is below it; "/" mostly.
  RootedFiles(int root_fd, std::string root_name, RootedLimits limits = {})
      : root_fd_(root_fd), root_name_(std::move(root_name)), limits_(limits) {}

  // config::ReadFiles. Fails with kUnsupported on kernels without openat2() (before 5.6),
  // kTruncated past a limit, kMalformed for what is no regular file or holds a NUL.
  [[nodiscard]] Result<std::vector<config::File>> read(const std::string& pattern);

 private:
  [[nodiscard]] Result<config::File> read_one(const std::string& path);
  [[nodiscard]] Result<std::vector<std::string>> expand(const std::string& pattern);
  [[nodiscard]] Result<std::vector<std::string>> names_in(const std::string& directory);

  int root_fd_;
  std::string root_name_;
  RootedLimits limits_;
  std::size_t bytes_ = 0;    // read so far
  std::size_t files_ = 0;    // read so far
  std::size_t entries_ = 0;  // of directories, seen so far
};

// `path`, as a link of /proc shows it, without `root_name` before it: how a process whose root that
// is sees it. "/" for the root itself; empty where it does not lie below.
[[nodiscard]] std::string below_root(std::string_view path, std::string_view root_name);

}  // namespace acceptq::collect
