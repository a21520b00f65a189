// What any source of names says of one container.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "facts/process.h"

namespace acceptq::collect::containers {

struct ContainerNames {
  std::optional<std::string> runtime;  // "containerd", "docker", "cri-o", "podman"
  std::optional<std::string> name;     // in Kubernetes: of the container in the pod's spec
  facts::Pod pod;                      // empty fields: not told, or in no pod

  friend bool operator==(const ContainerNames&, const ContainerNames&) = default;
};

// 64 lower-case hex digits. Ids become parts of paths, so nothing else is ever taken for one.
[[nodiscard]] bool is_container_id(std::string_view text);

}  // namespace acceptq::collect::containers
