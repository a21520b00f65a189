#include "collect/netns/discover.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/file.h"
#include "base/numbered_entries.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "collect/netns/mountinfo.h"

namespace acceptq::collect::netns {
namespace {

// N of the link "KIND:[N]".
Result<std::uint64_t> namespace_link(const std::string& path, const std::string& kind) {
  const Result<std::string> link = read_link(path);
  if (!link) return fail(link.error());
  std::string_view number = *link;
  if (number.starts_with(kind + ":[") && number.ends_with(']')) {
    number.remove_prefix(kind.size() + 2);
    number.remove_suffix(1);
    if (const auto inode = parse_int<std::uint64_t>(number)) return *inode;
  }
  return fail(ErrorCode::kMalformed, path + " is not a " + kind + " namespace");
}

// What tells the network namespace of a process from others without the right to read its link
// (see Discovery::denied).
std::optional<std::uint64_t> outside_identity(const std::string& process_dir) {
  struct stat status{};
  if (::stat((process_dir + "/net/stat").c_str(), &status) != 0) return std::nullopt;
  return status.st_ino;
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
    for (const std::int32_t pid : pids) take_process(pid);
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
      for (const std::int32_t pid : pids) take_threads(pid);
      for (const std::int32_t pid : pids) take_descriptors(pid);
    }
    place_denied();
    discovery_.hides_processes = !std::ranges::binary_search(pids, 1);
    return finish();
  }

 private:
  [[nodiscard]] std::string proc(const std::string& pid) const {
    return options_.proc_root + "/" + pid;
  }

  std::vector<std::int32_t> numbers_in(const std::string& path, int& error) {
    std::vector<std::int32_t> numbers;
    const UniqueFd dir(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    error = !dir.valid() ? errno
                         : for_each_number(dir.get(), buffer_, [&](std::int32_t number, auto) {
                             numbers.push_back(number);
                             return 0;
                           });
    std::ranges::sort(numbers);
    return numbers;
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

  void take_process(std::int32_t pid) {
    const std::string name = std::to_string(pid);
    const std::string dir = proc(name);
    const Result<std::uint64_t> net = namespace_link(dir + "/ns/net", "net");
    if (!net) {
      if (net.error().code == ErrorCode::kPermission) denied_.push_back(pid);
      return;
    }
    Handle& handle = add(NetnsId(*net), facts::HeldBy::kProcess, {.path = dir + "/ns/net"});
    if (handle.pids.size() < kPidsKept) handle.pids.emplace_back(pid);
    if (pid == 1) host_ = NetnsId(*net);
    if (!options_.thorough) return;
    if (const auto mount_namespace = namespace_link(dir + "/ns/mnt", "mnt")) {
      mount_namespaces_.try_emplace(*mount_namespace, name);
    }
  }

  // Threads that moved alone into another namespace.
  void take_threads(std::int32_t pid) {
    const std::string dir = proc(std::to_string(pid)) + "/task";
    int error = 0;
    const std::vector<std::int32_t> threads = numbers_in(dir, error);
    if (threads.size() < 2) return;
    for (const std::int32_t thread : threads) {
      const std::string path = dir + "/" + std::to_string(thread) + "/ns/net";
      const auto net = namespace_link(path, "net");
      if (net && !handles_.contains(NetnsId(*net))) {
        add(NetnsId(*net), facts::HeldBy::kProcess, {.path = path});
      }
    }
  }

  void take_mounts(const std::string& pid, const std::string& root) {
    const Result<std::string> text = read_file(proc(pid) + "/mountinfo");
    if (!text) return;
    for (const NamespaceMount& mount : parse_namespace_mounts(*text)) {
      Handle& handle =
          add(mount.id, facts::HeldBy::kMount,
              {.path = mount.path, .root = root, .remote_type = mount.remote_type});
      if (handle.mount_path.empty()) handle.mount_path = mount.path;
    }
  }

  void take_descriptors(std::int32_t pid) {
    const std::string dir = proc(std::to_string(pid)) + "/fd";
    int error = 0;
    for (const std::int32_t fd : numbers_in(dir, error)) {
      const std::string path = dir + "/" + std::to_string(fd);
      if (const auto net = namespace_link(path, "net")) {
        add(NetnsId(*net), facts::HeldBy::kDescriptor, {.path = path});
      }
    }
  }

  // Which namespaces the processes live in whose links may not be read.
  void place_denied() {
    discovery_.denied = denied_.size();
    if (denied_.empty()) return;
    std::map<std::uint64_t, NetnsId> known;
    for (const auto& [id, handle] : handles_) {
      const std::string pid =
          own_ == id            ? "thread-self"
          : handle.pids.empty() ? ""
                                : std::to_string(handle.pids.front().value());
      if (pid.empty()) continue;
      if (const auto identity = outside_identity(proc(pid))) known.emplace(*identity, id);
    }
    std::set<std::uint64_t> unknown;
    for (const std::int32_t pid : denied_) {
      const auto identity = outside_identity(proc(std::to_string(pid)));
      const auto it = identity ? known.find(*identity) : known.end();
      if (it != known.end()) {
        if (pid == 1) host_ = it->second;
        continue;
      }
      ++discovery_.hidden_processes;
      if (identity) unknown.insert(*identity);
    }
    discovery_.hidden_namespaces = unknown.size();
  }

  Discovery finish() {
    if (!host_) host_ = own_;
    for (auto& [id, handle] : handles_) {
      handle.is_host = host_ == id;
      handle.is_own = own_ == id;
      discovery_.handles.push_back(std::move(handle));
    }
    return std::move(discovery_);
  }

  const DiscoverOptions& options_;
  std::vector<std::byte> buffer_;
  std::optional<NetnsId> own_;
  std::optional<NetnsId> host_;
  std::map<NetnsId, Handle> handles_;
  std::map<std::uint64_t, std::string> mount_namespaces_;  // one process in each
  std::vector<std::int32_t> denied_;
  Discovery discovery_;
};

}  // namespace

Result<Discovery> discover_namespaces(const DiscoverOptions& options) {
  return Finder(options).find();
}

}  // namespace acceptq::collect::netns
