#include "remedy/kubernetes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>

#include "base/text.h"

namespace acceptq::remedy {
namespace {

std::string indented(std::string_view text, int blanks) {
  std::string result;
  while (!text.empty()) {
    result +=
        fmt::format("{}{}\n", std::string(static_cast<std::size_t>(blanks), ' '), next_line(text));
  }
  return result;
}

// What a pod is made from, of what it is.
std::string in_template(const std::string& pod) {
  return "spec:\n  template:\n" + indented(pod, 4);
}

}  // namespace

std::string sysctl_patch(const Setting& setting) { return in_template(pod_sysctls(setting)); }

std::string pod_init_container(const Setting& setting) {
  return fmt::format(
      "spec:\n  initContainers:\n  - name: set-sysctl\n    image: busybox\n    command: "
      "[\"sysctl\", "
      "\"-w\", \"{}={}\"]\n    securityContext:\n      privileged: true\n      runAsUser: 0\n      "
      "runAsNonRoot: false\n",
      setting.name, setting.value);
}

std::string init_container_patch(const Setting& setting) {
  return in_template(pod_init_container(setting));
}

std::string kustomization(const facts::Workload& workload, const std::string& patch) {
  return fmt::format(
      "patches:\n- patch: |-\n    apiVersion: apps/v1\n    kind: {0}\n    metadata:\n      name: "
      "{1}\n{2}",
      workload.kind, workload.name, indented(patch, 4));
}

std::string patch_command(const facts::Pod& pod, const facts::Workload& workload) {
  std::string kind = workload.kind;
  std::ranges::transform(kind, kind.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return fmt::format("kubectl -n {} patch {} {} --patch-file somaxconn.yaml",
                     pod.ns.value_or("default"), kind, workload.name);
}

}  // namespace acceptq::remedy
