#include "base/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/unique_fd.h"

namespace acceptq {

Result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
  return read_file_at(AT_FDCWD, path.c_str(), max_bytes);
}

Result<std::string> read_file_at(int dir_fd, const char* path, std::size_t max_bytes) {
  const UniqueFd fd(::openat(dir_fd, path, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno(errno, std::string("cannot open ") + path);
  return read_descriptor(fd.get(), path, max_bytes);
}

Result<std::string> read_descriptor(int fd, const std::string& name, std::size_t max_bytes) {
  std::string bytes;
  std::array<char, 16384> chunk;
  while (true) {
    const ssize_t n = ::read(fd, chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "cannot read " + name);
    if (n == 0) return bytes;
    bytes.append(chunk.data(), static_cast<std::size_t>(n));
    if (bytes.size() > max_bytes) {
      return fail(ErrorCode::kTruncated,
                  name + " is larger than " + std::to_string(max_bytes) + " bytes");
    }
  }
}

Result<std::string> read_link(const std::string& path) {
  return read_link_at(AT_FDCWD, path.c_str());
}

Result<std::string> read_link_at(int dir_fd, const char* path) {
  std::array<char, 4096> target;
  const ssize_t n = ::readlinkat(dir_fd, path, target.data(), target.size());
  if (n < 0) return fail_errno(errno, std::string("cannot read link ") + path);
  return std::string(target.data(), static_cast<std::size_t>(n));
}

Status write_setting(const std::string& path, const std::string& value) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno(errno, "opening " + path);
  if (::write(fd.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size())) {
    return fail_errno(errno, "writing \"" + value + "\" to " + path);
  }
  return {};
}

}  // namespace acceptq
