// Whole-file reads and link reads, the only two things that acceptq does with /proc and /sys.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace acceptq {

// The bytes of a file, read until end of file whatever its announced size (files of /proc announce
// 0). Fails with kTruncated past `max_bytes`. `dir_fd` as in openat(2).
[[nodiscard]] Result<std::string> read_file(const std::string& path,
                                            std::size_t max_bytes = std::size_t{64} << 20);
[[nodiscard]] Result<std::string> read_file_at(int dir_fd, const char* path,
                                               std::size_t max_bytes = std::size_t{64} << 20);
// The rest of what an open descriptor gives; `name` is for errors.
[[nodiscard]] Result<std::string> read_descriptor(int fd, const std::string& name,
                                                  std::size_t max_bytes);

// Where a symbolic link points, without following it: safe on /proc/PID/fd/N, where stat() or
// open() could hang on dead storage.
[[nodiscard]] Result<std::string> read_link(const std::string& path);
[[nodiscard]] Result<std::string> read_link_at(int dir_fd, const char* path);

// Gives a setting of the kernel (a file of /proc/sys or of a cgroup, which must be there) its
// value, with the one write() that such files take.
[[nodiscard]] Status write_setting(const std::string& path, const std::string& value);

}  // namespace acceptq
