#include "collect/containers/kubelet_logs.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "base/unique_fd.h"

namespace acceptq::collect::containers {
namespace {

// Letters, digits, '-' and '.': all that namespaces, pods, containers and UIDs are made of.
bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.';
  });
}

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

// Calls `visit(dir_fd, name)` for each entry. A directory that does not exist has none.
template <typename Visit>
Status for_each_entry(const std::string& path, Visit visit) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) {
    if (errno == ENOENT || errno == ENOTDIR) return {};
    return fail_errno(errno, "cannot open " + path);
  }
  const std::unique_ptr<DIR, CloseDir> dir(::fdopendir(fd.get()));
  if (!dir) return fail_errno(errno, "cannot list " + path);
  const int dir_fd = fd.release();
  errno = 0;
  while (const dirent* const entry = ::readdir(dir.get())) {
    visit(dir_fd, entry->d_name);
    errno = 0;
  }
  if (errno != 0) return fail_errno(errno, "cannot list " + path);
  return {};
}

// The pod that a log's path belongs to: ".../pods/<namespace>_<pod>_<uid>/<container>/0.log".
std::optional<facts::Pod> pod_of_log_path(std::string_view path) {
  const std::vector<std::string_view> parts = split(path, '/');
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (parts[i - 1] != "pods") continue;
    if (std::optional<facts::Pod> pod = parse_pod_log_dir(parts[i])) return pod;
  }
  return std::nullopt;
}

}  // namespace

bool is_container_id(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::optional<facts::Pod> parse_pod_log_dir(std::string_view name) {
  const std::vector<std::string_view> parts = split(name, '_');
  if (parts.size() != 3 || !std::all_of(parts.begin(), parts.end(), is_name)) return std::nullopt;
  return facts::Pod{std::string(parts[0]), std::string(parts[1]), std::string(parts[2])};
}

std::optional<ContainerLog> parse_container_log(std::string_view name) {
  constexpr std::string_view kSuffix = ".log";
  if (!name.ends_with(kSuffix)) return std::nullopt;
  name.remove_suffix(kSuffix.size());
  const std::size_t dash = name.rfind('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view id = name.substr(dash + 1);
  const std::vector<std::string_view> parts = split(name.substr(0, dash), '_');
  if (!is_container_id(id) || parts.size() != 3 ||
      !std::all_of(parts.begin(), parts.end(), is_name)) {
    return std::nullopt;
  }
  return ContainerLog{std::string(id), std::string(parts[2]),
                      facts::Pod{std::string(parts[1]), std::string(parts[0]), {}}};
}

Result<KubeletLogs> index_kubelet_logs(const std::string& log_root) {
  KubeletLogs logs;
  Status listed = for_each_entry(log_root + "/pods", [&](int, const char* name) {
    std::optional<facts::Pod> pod = parse_pod_log_dir(name);
    if (pod) logs.pods.emplace(*pod->uid, std::move(*pod));
  });
  if (!listed) return fail(std::move(listed).error());
  listed = for_each_entry(log_root + "/containers", [&](int dir_fd, const char* name) {
    std::optional<ContainerLog> log = parse_container_log(name);
    if (!log) return;
    if (const Result<std::string> target = read_link_at(dir_fd, name)) {
      if (const std::optional<facts::Pod> pod = pod_of_log_path(*target)) log->pod.uid = pod->uid;
    }
    logs.containers.emplace(std::move(log->id),
                            ContainerNames{{}, std::move(log->container), std::move(log->pod)});
  });
  if (!listed) return fail(std::move(listed).error());
  return logs;
}

}  // namespace acceptq::collect::containers
