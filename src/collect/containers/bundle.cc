#include "collect/containers/bundle.h"

#include <nlohmann/json.hpp>

#include "base/file.h"

namespace acceptq::collect::containers {
namespace {

constexpr std::size_t kMaxBundle = std::size_t{1} << 20;

struct BundlePlace {
  const char* runtime;
  const char* before;
  const char* after;
};
constexpr BundlePlace kPlaces[] = {
    {"containerd", "/containerd/io.containerd.runtime.v2.task/k8s.io/", "/config.json"},
    {"containerd", "/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/", "/config.json"},
    {"cri-o", "/containers/storage/overlay-containers/", "/userdata/config.json"},
};

// The first of `keys` that is there as text.
std::optional<std::string> annotation(const nlohmann::json& annotations,
                                      std::initializer_list<const char*> keys) {
  for (const char* const key : keys) {
    const auto found = annotations.find(key);
    if (found != annotations.end() && found->is_string()) {
      return found->get_ref<const std::string&>();
    }
  }
  return std::nullopt;
}

}  // namespace

Result<ContainerNames> parse_bundle(std::string_view json) {
  const nlohmann::json bundle = nlohmann::json::parse(json, nullptr, false);
  if (!bundle.is_object()) return fail(ErrorCode::kMalformed, "not a JSON object");
  ContainerNames names;
  const auto annotations = bundle.find("annotations");
  if (annotations == bundle.end() || !annotations->is_object()) return names;
  names.name = annotation(*annotations,
                          {"io.kubernetes.cri.container-name", "io.kubernetes.container.name"});
  names.pod.name =
      annotation(*annotations, {"io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name"});
  names.pod.ns = annotation(*annotations,
                            {"io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace"});
  names.pod.uid =
      annotation(*annotations, {"io.kubernetes.cri.sandbox-uid", "io.kubernetes.pod.uid"});
  return names;
}

Result<std::optional<ContainerNames>> read_bundle(const std::string& run_root,
                                                  std::string_view container_id) {
  if (!is_container_id(container_id)) return std::optional<ContainerNames>{};
  for (const BundlePlace& place : kPlaces) {
    const std::string path = run_root + place.before + std::string(container_id) + place.after;
    const Result<std::string> json = read_file(path, kMaxBundle);
    if (!json) {
      if (json.error().code == ErrorCode::kNotFound) continue;
      return fail(json.error());
    }
    Result<ContainerNames> names = parse_bundle(*json);
    if (!names) return fail(names.error().code, path + ": " + names.error().context);
    names->runtime = place.runtime;
    return std::optional(std::move(*names));
  }
  return std::optional<ContainerNames>{};
}

}  // namespace acceptq::collect::containers
