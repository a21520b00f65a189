// The numbers in a directory of /proc: processes, threads, descriptors.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "base/unique_fd.h"

namespace acceptq {

// Calls `visit(number, name)` with each entry of the open directory whose name is a number, until
// `visit` returns an errno other than 0. Returns that, or getdents64's own. `buffer` is scratch
// space, worth keeping from call to call. readdir(3) would do, but allocates per directory and
// copies once more, for every process of the host.
template <typename Visit>
[[nodiscard]] int for_each_number(int dir_fd, std::vector<std::byte>& buffer, const Visit& visit) {
  constexpr std::size_t kDirentBytes = std::size_t{64} << 10;
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

// Calls `visit(number, target)` with each link of the directory whose name is a number and whose
// target is shorter than 64 bytes, as "socket:[48213]" and "net:[4026531840]" are; `target` is
// empty for longer ones. The link is read from the dentry: neither the file nor its file system is
// touched. Returns 0 or an errno; a link that vanished meanwhile is passed over.
template <typename Visit>
[[nodiscard]] int for_each_numbered_link(const char* dir_path, std::vector<std::byte>& buffer,
                                         const Visit& visit) {
  const UniqueFd dir(::open(dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir.valid()) return errno;
  return for_each_number(dir.get(), buffer, [&](std::int32_t number, const char* name) -> int {
    std::array<char, 64> target;
    const ssize_t n = ::readlinkat(dir.get(), name, target.data(), target.size());
    if (n < 0) return errno == ENOENT ? 0 : errno;
    const auto length = static_cast<std::size_t>(n);
    visit(number, std::string_view(target.data(), length < target.size() ? length : 0));
    return 0;
  });
}

}  // namespace acceptq
