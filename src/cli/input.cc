#include "cli/input.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/file.h"
#include "cli/terminal.h"
#include "import/capture/read_capture.h"

namespace acceptq::cli {
namespace {

// "43 % of FILE", or nothing where the size is not known.
std::string share_read(int fd, std::uint64_t taken) {
  struct stat status{};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size <= 0) return "";
  return fmt::format(", {} %", taken * 100 / static_cast<std::uint64_t>(status.st_size));
}

Error cannot_read(const std::string& name, const Error& error) {
  return {error.code, error.sys_errno, fmt::format("cannot read {}: {}", name, error.context)};
}

}  // namespace

Result<Input> open_input(const std::string& path) {
  Input input{
      .name = path == "-" ? "standard input" : path, .owned = {}, .fd = STDIN_FILENO, .head = {}};
  if (path != "-") {
    input.owned = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!input.owned.valid()) return fail_errno(errno, "cannot open " + path);
    input.fd = input.owned.get();
  }
  constexpr std::size_t kEnough = 4096;
  input.head.resize(kEnough);
  std::size_t have = 0;
  while (have < kEnough) {
    const ssize_t count = ::read(input.fd, input.head.data() + have, kEnough - have);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, "cannot read " + input.name);
    if (count == 0) break;
    have += static_cast<std::size_t>(count);
  }
  input.head.resize(have);
  return input;
}

Result<std::string> read_whole(const Input& input, std::size_t max_bytes) {
  Result<std::string> rest = read_descriptor(input.fd, input.name, max_bytes);
  if (rest) rest->insert(0, input.head);
  return rest;
}

bool is_capture(const Input& input) { return is_capture(input.head); }

bool is_capture(std::string_view bytes) {
  constexpr std::size_t kEnough = 4096;
  return imports::capture::begins_like_capture(bytes.substr(0, kEnough));
}

Result<facts::Observation> read_capture(std::string_view bytes, const std::string& name) {
  imports::capture::MemoryStream stream(
      {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
  Result<facts::Observation> observation = imports::capture::read_capture(stream, name);
  return observation ? std::move(observation) : fail(cannot_read(name, observation.error()));
}

Result<facts::Observation> read_capture(const Input& input) {
  Progress progress;
  imports::capture::DescriptorStream stream(input.fd, input.head);
  Result<facts::Observation> observation =
      imports::capture::read_capture(stream, input.name, [&](std::uint64_t packets) {
        if (!progress.is_shown()) return;
        progress.show(fmt::format("reading {}: {} packets{}", input.name, packets,
                                  share_read(input.fd, stream.taken())));
      });
  progress.clear();
  return observation ? std::move(observation) : fail(cannot_read(input.name, observation.error()));
}

}  // namespace acceptq::cli
