// Changes to pods, written out for Kubernetes: patches of the workload that makes a pod.
#pragma once

#include <string>

#include "facts/workload.h"
#include "remedy/namespace_sysctl.h"

namespace acceptq::remedy {

// A pod's template with that sysctl, as `kubectl patch` takes it. The list of sysctls is replaced,
// not merged (listType=atomic, k8s.io/api/core/v1 PodSecurityContext).
[[nodiscard]] std::string sysctl_patch(const Setting& setting);

// A pod with a privileged init container that sets it before the server starts, as root also where
// the pod's other containers may not be (runAsNonRoot).
[[nodiscard]] std::string pod_init_container(const Setting& setting);
// A pod's template with that.
[[nodiscard]] std::string init_container_patch(const Setting& setting);

// kustomization.yaml with that patch.
[[nodiscard]] std::string kustomization(const facts::Workload& workload, const std::string& patch);

// "kubectl -n shop patch deployment web --patch-file somaxconn.yaml".
[[nodiscard]] std::string patch_command(const facts::Pod& pod, const facts::Workload& workload);

}  // namespace acceptq::remedy
