// Names from the OCI bundle that containerd or CRI-O wrote when it started a container:
//   RUN_ROOT/containerd/io.containerd.runtime.v2.task/k8s.io/<ID>/config.json
//   RUN_ROOT/k3s/containerd/…                                               (k3s, RKE2)
//   RUN_ROOT/containers/storage/overlay-containers/<ID>/userdata/config.json (CRI-O)
// A plain local file on a tmpfs, which no daemon has to answer for. Its annotations hold the names
// (containerd internal/cri/annotations: io.kubernetes.cri.*; CRI-O's and the kubelet's:
// io.kubernetes.pod.*, io.kubernetes.container.name).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "collect/containers/names.h"

namespace acceptq::collect::containers {

// The annotations of an OCI config.json; `runtime` stays empty. Fails with kMalformed where it is
// not JSON or not an object. Annotations of another type than text are passed over.
[[nodiscard]] Result<ContainerNames> parse_bundle(std::string_view json);

// Nothing where no runtime of these has the container. Reads at most 1 MiB. Fails where a file is
// there and cannot be read or parsed.
[[nodiscard]] Result<std::optional<ContainerNames>> read_bundle(const std::string& run_root,
                                                                std::string_view container_id);

}  // namespace acceptq::collect::containers
