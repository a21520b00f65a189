// Names of pods and containers from the names of the kubelet's log files:
//   LOG_ROOT/pods/<namespace>_<pod>_<uid>/<container>/
//   LOG_ROOT/containers/<pod>_<namespace>_<container>-<id>.log -> LOG_ROOT/pods/…
// (kubernetes pkg/kubelet/kuberuntime: BuildPodLogsDirectory, legacy.go's logSymlink.) Only names
// are read and links, never a log. Kubernetes allows '_' in none of the parts, and in a container's
// name neither '_' nor '.'.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "collect/containers/names.h"

namespace acceptq::collect::containers {

// Of a directory below LOG_ROOT/pods. The UID of a static pod is 32 hex digits. Nothing where the
// name does not have this form.
[[nodiscard]] std::optional<facts::Pod> parse_pod_log_dir(std::string_view name);

struct ContainerLog {
  std::string id;
  std::string container;
  facts::Pod pod;  // without uid
};

// Of a file in LOG_ROOT/containers.
[[nodiscard]] std::optional<ContainerLog> parse_container_log(std::string_view name);

struct KubeletLogs {
  std::map<std::string, facts::Pod, std::less<>> pods;            // by uid
  std::map<std::string, ContainerNames, std::less<>> containers;  // by id
};

// Lists both directories. One that does not exist is no error and adds nothing; names of another
// form are passed over. Fails where a directory is there and cannot be listed.
[[nodiscard]] Result<KubeletLogs> index_kubelet_logs(const std::string& log_root);

}  // namespace acceptq::collect::containers
