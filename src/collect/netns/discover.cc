#include "collect/netns/discover.h"

#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "base/file.h"
#include "base/text.h"
#include "collect/netns/mountinfo.h"

namespace acceptq::collect::netns {
namespace {

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};
using Directory = std::unique_ptr<DIR, CloseDir>;

std::vector<std::int32_t> numbers_in(const std::string& path, int& error) {
  error = 0;
  std::vector<std::int32_t> numbers;
  const Directory dir(::opendir(path.c_str()));
  if (!dir) {
    error = errno;
    return numbers;
  }
  while (const dirent* entry = ::readdir(dir.get())) {  // NOLINT(concurrency-mt-unsafe): own stream
    if (const auto number = parse_int<std::int32_t>(entry->d_name)) numbers.push_back(*number);
  }
  std::ranges::sort(numbers);
  return numbers;
}

// N of the link "KIND:[N]".
std::optional<std::uint64_t> namespace_link(const std::string& path, std::string_view kind) {
  const Result<std::string> link = read_link(path);
  if (!link || !link->starts_with(kind) || !link->ends_with(']')) return std::nullopt;
  std::string_view rest = std::string_view(*link).substr(kind.size());
  if (!rest.starts_with(":[")) return std::nullopt;
  rest.remove_prefix(2);
  rest.remove_suffix(1);
  return parse_int<std::uint64_t>(rest);
}

class Finder {
 public:
  explicit Finder(const DiscoverOptions& options) : options_(options) {}

  Result<Discovery> find() {
    int error = 0;
    pids_ = numbers_in(options_.proc_root, error);
    if (error != 0) return fail_errno(error, "cannot list " + options_.proc_root);
    own_ = namespace_link(options_.proc_root + "/thread-self/ns/net", "net");
    if (!own_) own_ = namespace_link(options_.proc_root + "/self/ns/net", "net");
    for (const std::int32_t pid : pids_) take_process(pid);
    // Own namespace first: it is there even where /proc shows no process that we may look at.
    if (own_) add(NetnsId(*own_), facts::HeldBy::kProcess, proc("self") + "/ns/net");
    for (const auto& [mount_namespace, pid] : mount_namespaces_) take_mounts(pid);
    if (options_.descriptors) {
      for (const std::int32_t pid : pids_) take_descriptors(pid);
    }
    return finish();
  }

 private:
  [[nodiscard]] std::string proc(const std::string& pid) const {
    return options_.proc_root + "/" + pid;
  }

  Handle& add(NetnsId id, facts::HeldBy held_by, const std::string& path) {
    const auto [it, inserted] = handles_.try_emplace(id);
    Handle& handle = it->second;
    if (inserted) {
      handle.id = id;
      handle.held_by = held_by;
      handle.path = path;
    }
    return handle;
  }

  void take_process(std::int32_t pid) {
    const std::string dir = proc(std::to_string(pid));
    const std::optional<std::uint64_t> net = namespace_link(dir + "/ns/net", "net");
    if (!net) {
      if (errno == EACCES || errno == EPERM) discovery_.denied.emplace_back(pid);
      return;
    }
    Handle& handle = add(NetnsId(*net), facts::HeldBy::kProcess, dir + "/ns/net");
    if (handle.pids.size() < kPidsKept) handle.pids.emplace_back(pid);
    if (pid == 1) host_ = net;
    if (const auto mount_namespace = namespace_link(dir + "/ns/mnt", "mnt")) {
      mount_namespaces_.try_emplace(*mount_namespace, pid);
    }
  }

  void take_mounts(std::int32_t pid) {
    const std::string dir = proc(std::to_string(pid));
    const Result<std::string> text = read_file(dir + "/mountinfo");
    if (!text) return;
    for (const NamespaceMount& mount : parse_namespace_mounts(*text)) {
      Handle& handle = add(mount.id, facts::HeldBy::kMount, dir + "/root" + mount.path);
      if (handle.mount_path.empty()) handle.mount_path = mount.path;
    }
  }

  void take_descriptors(std::int32_t pid) {
    const std::string dir = proc(std::to_string(pid)) + "/fd";
    int error = 0;
    for (const std::int32_t fd : numbers_in(dir, error)) {
      const std::string path = dir + "/" + std::to_string(fd);
      if (const auto net = namespace_link(path, "net")) {
        add(NetnsId(*net), facts::HeldBy::kDescriptor, path);
      }
    }
  }

  Discovery finish() {
    if (!host_) host_ = own_;
    for (auto& [id, handle] : handles_) {
      handle.is_host = host_ && id.value() == *host_;
      handle.is_own = own_ && id.value() == *own_;
      discovery_.handles.push_back(std::move(handle));
    }
    return std::move(discovery_);
  }

  const DiscoverOptions& options_;
  std::vector<std::int32_t> pids_;
  std::optional<std::uint64_t> own_;
  std::optional<std::uint64_t> host_;
  std::map<NetnsId, Handle> handles_;
  std::map<std::uint64_t, std::int32_t> mount_namespaces_;
  Discovery discovery_;
};

}  // namespace

Result<Discovery> discover_namespaces(const DiscoverOptions& options) {
  return Finder(options).find();
}

}  // namespace acceptq::collect::netns
