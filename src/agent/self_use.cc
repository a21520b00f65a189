#include "agent/self_use.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <vector>

#include "base/file.h"
#include "base/numbered_entries.h"
#include "base/text.h"

namespace acceptq::agent {
namespace {

double seconds(const timeval& time) {
  constexpr double kUsPerSecond = 1e6;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / kUsPerSecond;
}

}  // namespace

SelfUse read_self_use() {
  SelfUse use;
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    use.cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }
  // proc_pid_statm(5): "size resident …", in pages.
  if (const Result<std::string> statm = read_file("/proc/self/statm"); statm) {
    const std::size_t space = statm->find(' ');
    const std::size_t end = statm->find(' ', space + 1);
    if (space != std::string::npos && end != std::string::npos) {
      const auto pages =
          parse_int<std::uint64_t>(std::string_view(*statm).substr(space + 1, end - space - 1));
      use.resident_bytes = pages.value_or(0) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    }
  }
  const UniqueFd dir(::open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::vector<std::byte> buffer;
  const auto count = [&](std::int32_t number, const char* /*name*/) {
    if (number != dir.get()) ++use.open_fds;
    return 0;
  };
  if (dir.valid() && for_each_number(dir.get(), buffer, count) != 0) use.open_fds = 0;
  return use;
}

}  // namespace acceptq::agent
