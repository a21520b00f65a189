#include "collect/netns/discover.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "base/file.h"
#include "base/numbered_entries.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "collect/attended.h"
#include "collect/netns/initial.h"
#include "collect/netns/mountinfo.h"

namespace acceptq::collect::netns {
namespace {

Result<std::uint64_t> namespace_link(const std::string& path, std::string_view kind) {
  const Result<std::string> link = read_link(path);
  if (!link) return fail(link.error());
  // 5.10 gives an empty text where 6.1 has EACCES (fs/proc/namespaces.c, proc_ns_readlink).
  if (link->empty()) return fail(ErrorCode::kPermission, path + " may not be read");
  if (const auto inode = parse_inode_link(*link, kind)) return *inode;
  return fail(ErrorCode::kMalformed, path + " is not a namespace");
}

constexpr std::int32_t kKthreadd = 2;  // in the initial PID namespace

using PlaceSeen = std::pair<NetnsId, std::string>;  // a namespace, and a path that leads there

// What one process shows.
struct ProcessSeen {
  std::optional<NetnsId> net;
  bool denied = false;
  std::optional<std::uint64_t> mount_namespace;
  std::vector<PlaceSeen> threads;      // those that are not where the process is
  std::vector<PlaceSeen> descriptors;  // of network namespaces
};

std::vector<std::int32_t> numbers_in(const std::string& path, int& error) {
  thread_local std::vector<std::byte> buffer;
  std::vector<std::int32_t> numbers;
  const UniqueFd dir(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  error = !dir.valid() ? errno : for_each_number(dir.get(), buffer, [&](std::int32_t number, auto) {
    numbers.push_back(number);
    return 0;
  });
  std::ranges::sort(numbers);
  return numbers;
}

// The threads of a process that are in another namespace than `net`.
std::vector<PlaceSeen> threads_elsewhere(const std::string& dir, std::optional<NetnsId> net) {
  std::vector<PlaceSeen> places;
  int error = 0;
  const std::vector<std::int32_t> threads = numbers_in(dir, error);
  if (threads.size() < 2) return places;
  for (const std::int32_t thread : threads) {
    still_at_work();
    std::string path = dir + "/" + std::to_string(thread) + "/ns/net";
    const auto id = namespace_link(path, "net");
    if (id && NetnsId(*id) != net) places.emplace_back(NetnsId(*id), std::move(path));
  }
  return places;
}

std::vector<PlaceSeen> namespace_descriptors(const std::string& dir) {
  constexpr std::size_t kOften = 1024;
  thread_local std::vector<std::byte> buffer;
  std::vector<PlaceSeen> places;
  std::size_t read = 0;
  // What could be read until an error is what there is to go by.
  static_cast<void>(
      for_each_numbered_link(dir.c_str(), buffer, [&](std::int32_t fd, std::string_view target) {
        if (++read % kOften == 0) still_at_work();
        if (const auto net = parse_inode_link(target, "net")) {
          places.emplace_back(NetnsId(*net), dir + "/" + std::to_string(fd));
        }
      }));
  return places;
}

ProcessSeen look_at(const std::string& dir, bool thorough) {
  ProcessSeen seen;
  const Result<std::uint64_t> net = namespace_link(dir + "/ns/net", "net");
  if (net) {
    seen.net = NetnsId(*net);
  } else {
    seen.denied = net.error().code == ErrorCode::kPermission;
  }
  if (!thorough) return seen;
  if (const auto mounts = namespace_link(dir + "/ns/mnt", "mnt")) seen.mount_namespace = *mounts;
  seen.threads = threads_elsewhere(dir + "/task", seen.net);
  seen.descriptors = namespace_descriptors(dir + "/fd");
  return seen;
}

class Finder {
 public:
  explicit Finder(const DiscoverOptions& options) : options_(options) {}

  Result<Discovery> find() {
    int error = 0;
    const std::vector<std::int32_t> pids = numbers_in(options_.proc_root, error);
    if (error != 0) return fail_errno(error, "cannot list " + options_.proc_root);
    if (const auto own = namespace_link(proc("thread-self") + "/ns/net", "net")) {
      own_ = NetnsId(*own);
    }
    const std::vector<std::optional<ProcessSeen>> seen = look_at_all(pids);
    for (std::size_t i = 0; i < pids.size(); ++i) take_process(pids[i], seen[i]);
    // The own namespace is there even where /proc shows no process that we may look at.
    if (own_) add(*own_, facts::HeldBy::kProcess, {.path = proc("thread-self") + "/ns/net"});
    take_mounts("self", "/");
    if (options_.thorough) {
      if (const auto own = namespace_link(proc("self") + "/ns/mnt", "mnt")) {
        mount_namespaces_.erase(*own);
      }
      for (const auto& [mount_namespace, pid] : mount_namespaces_) {
        take_mounts(pid, proc(pid) + "/root");
      }
      take_places(seen, &ProcessSeen::threads, facts::HeldBy::kProcess);
      take_places(seen, &ProcessSeen::descriptors, facts::HeldBy::kDescriptor);
    }
    place_denied();
    discovery_.hides_processes = !std::ranges::binary_search(pids, 1);
    return finish();
  }

 private:
  [[nodiscard]] std::string proc(const std::string& pid) const {
    return options_.proc_root + "/" + pid;
  }

  // Nothing for a process that does not answer.
  std::vector<std::optional<ProcessSeen>> look_at_all(const std::vector<std::int32_t>& pids) const {
    const auto asked = std::make_shared<std::vector<std::string>>();
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < pids.size(); ++i) {
      if (std::ranges::binary_search(options_.skip, Pid(pids[i]))) continue;
      asked->push_back(proc(std::to_string(pids[i])));
      places.push_back(i);
    }
    auto seen = attended_map<ProcessSeen>(asked->size(), options_.threads,
                                          [asked, thorough = options_.thorough](std::size_t i) {
                                            return look_at((*asked)[i], thorough);
                                          });
    std::vector<std::optional<ProcessSeen>> all(pids.size());
    for (std::size_t i = 0; i < places.size(); ++i) all[places[i]] = std::move(seen[i]);
    return all;
  }

  Handle& add(NetnsId id, facts::HeldBy held_by, Entrance entrance) {
    const auto [it, inserted] = handles_.try_emplace(id);
    Handle& handle = it->second;
    if (inserted) {
      handle.id = id;
      handle.held_by = held_by;
    }
    if (handle.entrances.size() < kEntrancesKept) handle.entrances.push_back(std::move(entrance));
    return handle;
  }

  void take_process(std::int32_t pid, const std::optional<ProcessSeen>& seen) {
    if (!seen) discovery_.stuck.emplace_back(pid);
    if (!seen || seen->denied) denied_.push_back(pid);
    if (!seen || !seen->net) return;
    const std::string name = std::to_string(pid);
    Handle& handle = add(*seen->net, facts::HeldBy::kProcess, {.path = proc(name) + "/ns/net"});
    if (handle.pids.size() < kPidsKept) handle.pids.emplace_back(pid);
    if (pid == kKthreadd) kthreadd_ = seen->net;
    if (seen->mount_namespace) mount_namespaces_.try_emplace(*seen->mount_namespace, name);
  }

  void take_places(const std::vector<std::optional<ProcessSeen>>& seen,
                   std::vector<PlaceSeen> ProcessSeen::* places, facts::HeldBy held_by) {
    for (const std::optional<ProcessSeen>& process : seen) {
      if (!process) continue;
      for (const auto& [id, path] : *process.*places) add(id, held_by, {.path = path});
    }
  }

  void take_mounts(const std::string& pid, const std::string& root) {
    const Result<std::string> text = read_file(proc(pid) + "/mountinfo");
    if (!text) return;
    for (const NamespaceMount& mount : parse_namespace_mounts(*text)) {
      Handle& handle = add(mount.id, facts::HeldBy::kMount,
                           {.path = mount.path, .root = root, .remote_type = mount.remote_type});
      if (handle.mount_path.empty()) handle.mount_path = mount.path;
    }
  }

  [[nodiscard]] std::optional<std::uint64_t> identity_of(NetnsId id, const Handle& handle) const {
    if (own_ == id) return net_identity(proc("thread-self"));
    if (handle.pids.empty()) return std::nullopt;
    return net_identity(proc(std::to_string(handle.pids.front().value())));
  }

  // Which namespaces the processes live in whose links may not be read.
  void place_denied() {
    discovery_.denied = denied_.size();
    if (denied_.empty()) return;
    std::map<std::uint64_t, NetnsId> known;
    for (const auto& [id, handle] : handles_) {
      if (const auto identity = identity_of(id, handle)) known.emplace(*identity, id);
    }
    for (const std::int32_t pid : denied_) {
      const auto identity = net_identity(proc(std::to_string(pid)));
      const auto it = identity ? known.find(*identity) : known.end();
      if (it != known.end()) {
        if (pid == kKthreadd) kthreadd_ = it->second;
        continue;
      }
      ++(identity ? discovery_.hidden[*identity] : discovery_.unplaced);
    }
  }

  // Tells the host's namespace from the others, as far as that is known.
  void find_host() {
    const bool kernel_threads = shows_kernel_threads(options_.proc_root);
    std::optional<NetnsId> host = kernel_threads ? kthreadd_ : std::nullopt;
    if (handles_.contains(kInitialNetns)) host = kInitialNetns;
    std::optional<std::uint64_t> identity;
    if (!host && kernel_threads) identity = net_identity(proc(std::to_string(kKthreadd)));
    for (auto& [id, handle] : handles_) {
      if (host) {
        handle.is_host = host == id;
      } else if (identity && identity_of(id, handle)) {
        handle.is_host = false;  // else it would be the one where kthreadd was found
      }
    }
  }

  Discovery finish() {
    find_host();
    discovery_.hides_host = !in_initial_pid_namespace(options_.proc_root);
    for (auto& [id, handle] : handles_) {
      handle.is_own = own_ == id;
      discovery_.handles.push_back(std::move(handle));
    }
    return std::move(discovery_);
  }

  const DiscoverOptions& options_;
  std::optional<NetnsId> own_;
  std::optional<NetnsId> kthreadd_;  // where that lives
  std::map<NetnsId, Handle> handles_;
  std::map<std::uint64_t, std::string> mount_namespaces_;  // one process in each
  std::vector<std::int32_t> denied_;
  Discovery discovery_;
};

}  // namespace

std::optional<std::uint64_t> net_identity(const std::string& process_dir) {
  struct stat status{};
  if (::stat((process_dir + "/net/stat").c_str(), &status) != 0) return std::nullopt;
  return status.st_ino;
}

Result<Discovery> discover_namespaces(const DiscoverOptions& options) {
  return Finder(options).find();
}

}  // namespace acceptq::collect::netns
