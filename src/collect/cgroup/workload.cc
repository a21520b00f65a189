#include "collect/cgroup/workload.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace acceptq::collect::cgroup {
namespace {

constexpr std::size_t kContainerIdLen = 64;
constexpr std::size_t kStaticUidLen = 32;
constexpr std::string_view kUidShape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

std::size_t hex_run(std::string_view text) {
  return static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_hex) -
                                  text.begin());
}

// What ends an identifier inside a path's component: the end, ".scope" or ".slice", or the colon of
// "kubepods-pod<UID>.slice:cri-containerd:<ID>".
bool ends_identifier(std::string_view rest) {
  return rest.empty() || rest.front() == '.' || rest.front() == ':';
}

struct ContainerMark {
  std::string_view prefix;  // of its component, up to the id
  std::string_view id;
};

std::optional<ContainerMark> find_container(std::string_view component) {
  std::optional<ContainerMark> last;
  for (std::size_t at = 0; at < component.size();) {
    const std::size_t run = hex_run(component.substr(at));
    const bool begins = at == 0 || component[at - 1] == '-' || component[at - 1] == ':';
    if (run == kContainerIdLen && begins && ends_identifier(component.substr(at + run))) {
      last = ContainerMark{component.substr(0, at), component.substr(at, run)};
    }
    at += std::max<std::size_t>(run, 1);
  }
  return last;
}

bool has_uid_shape(std::string_view text) {
  return text.size() == kUidShape.size() &&
         std::equal(text.begin(), text.end(), kUidShape.begin(), [](char c, char shape) {
           return shape == 'x' ? is_hex(c) : c == '-' || c == '_';
         });
}

std::optional<std::string> find_pod_uid(std::string_view component) {
  for (std::size_t at = component.rfind("pod"); at != std::string_view::npos;
       at = at == 0 ? std::string_view::npos : component.rfind("pod", at - 1)) {
    if (at > 0 && component[at - 1] != '-') continue;
    const std::string_view rest = component.substr(at + 3);
    const std::string_view uid = rest.substr(0, kUidShape.size());
    if (has_uid_shape(uid) && ends_identifier(rest.substr(uid.size()))) {
      std::string with_dashes(uid);
      std::replace(with_dashes.begin(), with_dashes.end(), '_', '-');
      return with_dashes;
    }
    if (hex_run(rest) == kStaticUidLen && ends_identifier(rest.substr(kStaticUidLen))) {
      return std::string(rest.substr(0, kStaticUidLen));
    }
  }
  return std::nullopt;
}

// Only what the path itself says: an id alone below a pod may be containerd's or docker's.
std::optional<std::string> runtime_of(std::string_view prefix, std::string_view parent) {
  if (prefix.ends_with("cri-containerd-") || prefix.ends_with("cri-containerd:")) {
    return "containerd";
  }
  if (prefix == "nerdctl-") return "containerd";
  if (prefix == "crio-") return "cri-o";
  if (prefix == "docker-") return "docker";
  if (prefix == "libpod-" || prefix == "libpod-payload-") return "podman";
  if (prefix.empty() && parent == "docker") return "docker";
  if (prefix.empty() && parent == "k8s.io") return "containerd";
  return std::nullopt;
}

bool has_controller(const Membership& membership, std::string_view name) {
  return std::find(membership.controllers.begin(), membership.controllers.end(), name) !=
         membership.controllers.end();
}

int rank(const Membership& membership) {
  if (membership.hierarchy == 0) return 0;
  if (has_controller(membership, "cpu")) return 1;
  if (has_controller(membership, "name=systemd")) return 2;
  return 3;
}

}  // namespace

Result<std::vector<Membership>> parse_cgroup(std::string_view text) {
  std::vector<Membership> memberships;
  for (std::size_t line = 1; !text.empty(); ++line) {
    const std::string_view row = next_line(text);
    const std::size_t first = row.find(':');
    const std::size_t second =
        first == std::string_view::npos ? std::string_view::npos : row.find(':', first + 1);
    const std::optional<int> hierarchy = parse_int<int>(row.substr(0, first));
    if (second == std::string_view::npos || !hierarchy || *hierarchy < 0 ||
        !row.substr(second + 1).starts_with('/')) {
      return fail(ErrorCode::kMalformed,
                  "cgroup, line " + std::to_string(line) + ": not ID:CONTROLLERS:/PATH");
    }
    Membership membership;
    membership.hierarchy = *hierarchy;
    const std::string_view controllers = row.substr(first + 1, second - first - 1);
    if (!controllers.empty()) {
      for (const std::string_view name : split(controllers, ',')) {
        membership.controllers.emplace_back(name);
      }
    }
    std::string_view path = row.substr(second + 1);
    // Behind the path of a removed cgroup (kernel/cgroup/cgroup.c, proc_cgroup_show).
    constexpr std::string_view kDeleted = " (deleted)";
    if (path.ends_with(kDeleted)) path.remove_suffix(kDeleted.size());
    membership.path = path;
    memberships.push_back(std::move(membership));
  }
  return memberships;
}

std::string placing_path(const std::vector<Membership>& memberships) {
  std::vector<const Membership*> candidates;
  candidates.reserve(memberships.size());
  for (const Membership& membership : memberships) candidates.push_back(&membership);
  // Of equal rank, in their order in the file.
  std::sort(candidates.begin(), candidates.end(), [](const Membership* a, const Membership* b) {
    return std::pair(rank(*a), a) < std::pair(rank(*b), b);
  });
  for (const Membership* candidate : candidates) {
    const Workload workload = workload_of(candidate->path);
    if (workload.container || workload.pod_uid || workload.is_infrastructure) {
      return candidate->path;
    }
  }
  for (const Membership* candidate : candidates) {
    if (candidate->path != "/") return candidate->path;
  }
  return "/";
}

Workload workload_of(std::string_view cgroup_path) {
  Workload workload;
  std::string_view parent;
  for (const std::string_view component : split(cgroup_path, '/')) {
    if (std::optional<std::string> uid = find_pod_uid(component)) {
      workload = {};
      workload.pod_uid = std::move(uid);
    }
    if (const std::optional<ContainerMark> mark = find_container(component)) {
      workload.is_infrastructure = mark->prefix.ends_with("conmon-");
      workload.container.reset();
      if (!workload.is_infrastructure) {
        workload.container =
            facts::Container{std::string(mark->id), runtime_of(mark->prefix, parent), {}};
      }
    }
    parent = component;
  }
  return workload;
}

void place(facts::Process& process) {
  if (!process.cgroup) return;
  Workload workload = workload_of(*process.cgroup);
  if (workload.container) process.container = std::move(workload.container);
  if (workload.pod_uid) process.pod = facts::Pod{{}, {}, std::move(workload.pod_uid)};
}

}  // namespace acceptq::collect::cgroup
