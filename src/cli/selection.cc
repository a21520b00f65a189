#include "cli/selection.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "base/unique_fd.h"
#include "cli/commands.h"

namespace acceptq::cli {
namespace {

using select::Selector;

// "/run/netns/x" → the inode behind it. A link such as /proc/PID/ns/net works as well.
Result<std::uint64_t> namespace_inode(const Selector& selector) {
  const UniqueFd fd(::open(selector.name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return fail_errno(errno, "cannot open " + selector.name);
  // Only descriptors of nsfs answer this (ioctl_ns(2), Linux 4.11).
  struct stat status{};
  if (::ioctl(fd.get(), NS_GET_NSTYPE) != CLONE_NEWNET || ::fstat(fd.get(), &status) != 0) {
    return fail(ErrorCode::kMalformed, fmt::format("selector \"{}\": {} is no network namespace",
                                                   selector.text, selector.name));
  }
  return status.st_ino;
}

}  // namespace

Status resolve(std::vector<Selector>& selectors) {
  for (Selector& selector : selectors) {
    if (selector.kind != Selector::Kind::kNetnsPath) continue;
    const Result<std::uint64_t> inode = namespace_inode(selector);
    if (!inode) return fail(inode.error());
    selector.kind = Selector::Kind::kNetns;
    selector.number = *inode;
  }
  return {};
}

Status expect_tcp(const std::vector<select::Selector>& selectors, std::string_view what) {
  const bool none = !selectors.empty() && std::ranges::all_of(selectors, [](const auto& selector) {
    return selector.kind == select::Selector::Kind::kUnix;
  });
  if (!none) return {};
  return fail(ErrorCode::kMalformed,
              fmt::format("{}: {} is for TCP; no handshake leads to a Unix socket, and the kernel "
                          "does not tell when its queue is full. acceptq check looks at it.",
                          selectors.front().text, what));
}

bool is_process(Pid pid) {
  return ::access(("/proc/" + std::to_string(pid.value())).c_str(), F_OK) == 0;
}

int code_of_selection(const Error& error) {
  return error.code == ErrorCode::kMalformed ? kExitUsage : kExitBlind;
}

}  // namespace acceptq::cli
