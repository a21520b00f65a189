#include "collect/netns/enter.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "collect/attended.h"

namespace acceptq::collect::netns {
namespace {

constexpr int kReach = O_PATH | O_CLOEXEC;  // a place, not an open file: no file system is asked

// The mount point, from the dentry cache alone (RESOLVE_CACHED, Linux 5.12): the names on the way
// to a mount are always in it, and a file system that would have to ask its server first refuses
// with EAGAIN. Older kernels walk as usual; Entrance::remote_type has excluded what could hang.
UniqueFd reach_mount(const Entrance& entrance) {
  const UniqueFd root(::open(entrance.root.c_str(), kReach | O_DIRECTORY));
  if (!root.valid()) return {};
  const std::string relative = "." + entrance.path;
  open_how how{};
  how.flags = kReach;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_CACHED;
  constexpr int kAttempts = 5;  // a rename anywhere meanwhile is EAGAIN, too
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const long fd = ::syscall(SYS_openat2, root.get(), relative.c_str(), &how, sizeof how);
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    if (errno != EAGAIN) break;
  }
  if (errno != ENOSYS && errno != EINVAL) return {};
  return UniqueFd(::openat(root.get(), relative.c_str(), kReach));
}

Result<UniqueFd> open_by(const Entrance& entrance, NetnsId id) {
  if (!entrance.remote_type.empty()) {
    return fail(ErrorCode::kUnsupported, "cannot enter " + entrance.name() + ": it lies on " +
                                             entrance.remote_type + ", which may not answer");
  }
  const UniqueFd place = entrance.root.empty() ? UniqueFd(::open(entrance.path.c_str(), kReach))
                                               : reach_mount(entrance);
  if (!place.valid()) return fail_errno(errno, "cannot open " + entrance.name());
  // PIDs, descriptors and mounts are reused: make sure that this is still what was found, with the
  // attributes at hand, whatever it is by now.
  struct statx now{};
  if (::statx(place.get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &now) != 0) {
    return fail_errno(errno, "cannot stat " + entrance.name());
  }
  if (now.stx_ino != id.value()) {
    return fail(ErrorCode::kInterrupted, entrance.name() + " is something else by now");
  }
  const std::string opened = "/proc/thread-self/fd/" + std::to_string(place.get());
  UniqueFd fd(::open(opened.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno(errno, "cannot open " + entrance.name());
  return fd;
}

bool is_gone(const Error& error) {
  return error.code == ErrorCode::kNotFound || error.code == ErrorCode::kInterrupted;
}

// By the first entrance that works. Gone only where every one is.
Result<UniqueFd> open_namespace(const Handle& handle) {
  Result<UniqueFd> opened = fail(ErrorCode::kNotFound, "no way into this namespace is known");
  for (const Entrance& entrance : handle.entrances) {
    Result<UniqueFd> tried = open_by(entrance, handle.id);
    if (tried) return tried;
    if (is_gone(opened.error()) || !is_gone(tried.error())) opened = std::move(tried);
  }
  return opened;
}

// What is opened at a time: a limit of 1024 descriptors is common.
constexpr std::size_t kBatch = 128;

// Attended, since a process may have become stuck inside execve() after it was discovered.
std::vector<Result<UniqueFd>> open_batch(std::span<const Handle> batch, unsigned threads) {
  const auto handles = std::make_shared<std::vector<Handle>>(batch.begin(), batch.end());
  auto attended = attended_map<Result<UniqueFd>>(batch.size(), threads,
                                                 [handles](std::size_t i) -> Result<UniqueFd> {
                                                   const Handle& handle = (*handles)[i];
                                                   if (handle.is_own) return UniqueFd{};
                                                   return open_namespace(handle);
                                                 });
  std::vector<Result<UniqueFd>> opened;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (attended[i]) {
      opened.push_back(std::move(*attended[i]));
    } else {
      opened.emplace_back(fail(ErrorCode::kIo, "cannot enter " + batch[i].entrances.front().name() +
                                                   ": the process does not answer"));
    }
  }
  return opened;
}

Status enter(const Result<UniqueFd>& opened) {
  if (!opened) return fail(opened.error());
  if (::setns(opened->get(), CLONE_NEWNET) != 0) {
    return fail_errno(errno, "cannot enter a network namespace");
  }
  return {};
}

void visit_batch(std::span<const Handle> handles, std::size_t first, unsigned threads,
                 const Visit& visit) {
  const std::vector<Result<UniqueFd>> opened = open_batch(handles, threads);
  std::atomic<std::size_t> next{0};
  const auto run = [&] {
    for (std::size_t i = next++; i < handles.size(); i = next++) {
      if (!handles[i].is_own) visit(first + i, enter(opened[i]));
    }
  };
  // The own namespace is visited in the calling thread, which never enters another.
  const auto foreign = static_cast<std::size_t>(
      std::ranges::count(handles, false, [](const Handle& handle) { return handle.is_own; }));
  std::vector<std::jthread> workers;
  std::string refusal;
  const std::size_t wanted = std::min<std::size_t>(std::max(threads, 1U), foreign);
  while (workers.size() < wanted && refusal.empty()) {
    try {
      workers.emplace_back(run);
    } catch (const std::system_error& error) {  // EAGAIN: the limit on processes is reached
      refusal = error.what();
    }
  }
  for (std::size_t i = 0; i < handles.size(); ++i) {
    if (handles[i].is_own) visit(first + i, Status{});
  }
  if (!workers.empty()) return;
  for (std::size_t i = 0; i < handles.size(); ++i) {
    if (handles[i].is_own) continue;
    visit(first + i, fail(ErrorCode::kIo, "cannot start a thread to enter it: " + refusal));
  }
}

}  // namespace

void for_each_namespace(std::span<const Handle> handles, unsigned threads, const Visit& visit) {
  for (std::size_t first = 0; first < handles.size(); first += kBatch) {
    const std::size_t count = std::min(kBatch, handles.size() - first);
    visit_batch(handles.subspan(first, count), first, threads, visit);
  }
}

}  // namespace acceptq::collect::netns
