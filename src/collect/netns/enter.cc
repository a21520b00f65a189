#include "collect/netns/enter.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace acceptq::collect::netns {
namespace {

Status enter(const Handle& handle) {
  const UniqueFd fd(::open(handle.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return fail_errno(errno, "cannot open " + handle.path);
  // PIDs and mounts are reused: make sure that this is still the namespace that was found.
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return fail_errno(errno, "cannot stat " + handle.path);
  if (status.st_ino != handle.id.value()) {
    return fail(ErrorCode::kInterrupted, handle.path + " is another namespace by now");
  }
  if (::setns(fd.get(), CLONE_NEWNET) != 0) {
    return fail_errno(errno, "cannot enter the network namespace " + handle.path);
  }
  return {};
}

}  // namespace

void for_each_namespace(std::span<const Handle> handles, unsigned threads, const Visit& visit) {
  std::atomic<std::size_t> next{0};
  const auto run = [&] {
    for (std::size_t i = next++; i < handles.size(); i = next++) {
      if (!handles[i].is_own) visit(i, enter(handles[i]));
    }
  };
  // The own namespace is visited in a thread that has not entered another.
  const auto run_own = [&] {
    for (std::size_t i = 0; i < handles.size(); ++i) {
      if (handles[i].is_own) visit(i, Status{});
    }
  };
  std::vector<std::jthread> workers;
  workers.emplace_back(run_own);
  const std::size_t count =
      std::clamp<std::size_t>(threads, 1, std::max<std::size_t>(handles.size(), 1));
  for (std::size_t i = 0; i < count; ++i) workers.emplace_back(run);
}

}  // namespace acceptq::collect::netns
