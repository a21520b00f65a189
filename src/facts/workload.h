// What made a pod, as far as the pod's name tells.
#pragma once

#include <optional>
#include <string>

#include "facts/process.h"

namespace acceptq::facts {

struct Workload {
  std::string kind;  // "Deployment", "StatefulSet"
  std::string name;
};

// By the names that controllers give: NAME-TEMPLATEHASH-SUFFIX is a Deployment's, NAME-ORDINAL a
// StatefulSet's (or somebody's own pod). Empty for any other, a DaemonSet's NAME-SUFFIX included,
// which a Job's looks like.
[[nodiscard]] std::optional<Workload> workload_of(const Pod& pod);

}  // namespace acceptq::facts
