// Changes to pods, written out for Kubernetes: patches of the workload that makes a pod.
#pragma once

#include <optional>
#include <string>

#include "facts/process.h"
#include "remedy/namespace_sysctl.h"

namespace acceptq::remedy {

// What made a pod, as far as the pod's name tells.
struct Workload {
  std::string kind;  // "Deployment", "StatefulSet"
  std::string name;
};

// By the names that controllers give: NAME-TEMPLATEHASH-SUFFIX is a Deployment's, NAME-ORDINAL a
// StatefulSet's (or somebody's own pod). Empty for any other, a DaemonSet's NAME-SUFFIX included,
// which a Job's looks like.
[[nodiscard]] std::optional<Workload> workload_of(const facts::Pod& pod);

// A pod's template with that sysctl, as `kubectl patch` takes it. The list of sysctls is replaced,
// not merged (listType=atomic, k8s.io/api/core/v1 PodSecurityContext).
[[nodiscard]] std::string sysctl_patch(const Setting& setting);

// A pod's template with a privileged init container that sets it before the server starts.
[[nodiscard]] std::string init_container_patch(const Setting& setting);

// kustomization.yaml with that patch.
[[nodiscard]] std::string kustomization(const Workload& workload, const std::string& patch);

// "kubectl -n shop patch deployment web --patch-file somaxconn.yaml".
[[nodiscard]] std::string patch_command(const facts::Pod& pod, const Workload& workload);

}  // namespace acceptq::remedy
