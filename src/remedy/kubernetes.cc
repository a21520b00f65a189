#include "remedy/kubernetes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>

#include "base/text.h"

namespace acceptq::remedy {
namespace {

// The letters of generated names (k8s.io/apimachinery/pkg/util/rand: no vowels, no 0, 1 and 3).
bool is_generated(std::string_view text) {
  constexpr std::string_view kLetters = "bcdfghjklmnpqrstvwxz2456789";
  return text.find_first_not_of(kLetters) == text.npos;
}

std::string indented(std::string_view text, int blanks) {
  std::string result;
  while (!text.empty()) {
    result +=
        fmt::format("{}{}\n", std::string(static_cast<std::size_t>(blanks), ' '), next_line(text));
  }
  return result;
}

}  // namespace

std::optional<Workload> workload_of(const facts::Pod& pod) {
  if (!pod.name) return std::nullopt;
  const std::string_view name = *pod.name;
  const std::size_t last = name.rfind('-');
  if (last == name.npos || last == 0) return std::nullopt;
  const std::string_view end = name.substr(last + 1);
  const std::string_view rest = name.substr(0, last);
  if (parse_int<std::uint32_t>(end)) return Workload{"StatefulSet", std::string(rest)};
  // A ReplicaSet adds five letters to its own name, which a Deployment makes of its own and up to
  // ten letters that encode a 32-bit hash of the template.
  constexpr std::size_t kSuffix = 5;
  constexpr std::size_t kShortestHash = 6;
  constexpr std::size_t kLongestHash = 10;
  const std::size_t before = rest.rfind('-');
  if (end.size() != kSuffix || !is_generated(end) || before == rest.npos || before == 0) {
    return std::nullopt;
  }
  const std::string_view hash = rest.substr(before + 1);
  if (hash.size() < kShortestHash || hash.size() > kLongestHash || !is_generated(hash)) {
    return std::nullopt;
  }
  return Workload{"Deployment", std::string(rest.substr(0, before))};
}

std::string sysctl_patch(const Setting& setting) {
  return fmt::format(
      "spec:\n  template:\n    spec:\n      securityContext:\n        sysctls:\n        - name: "
      "{}\n          value: \"{}\"\n",
      setting.name, setting.value);
}

std::string init_container_patch(const Setting& setting) {
  return fmt::format(
      "spec:\n  template:\n    spec:\n      initContainers:\n      - name: set-sysctl\n        "
      "image: busybox\n        command: [\"sysctl\", \"-w\", \"{}={}\"]\n        "
      "securityContext:\n          privileged: true\n          runAsUser: 0\n          "
      "runAsNonRoot: false\n",
      setting.name, setting.value);
}

std::string kustomization(const Workload& workload, const std::string& patch) {
  return fmt::format(
      "patches:\n- patch: |-\n    apiVersion: apps/v1\n    kind: {0}\n    metadata:\n      name: "
      "{1}\n{2}",
      workload.kind, workload.name, indented(patch, 4));
}

std::string patch_command(const facts::Pod& pod, const Workload& workload) {
  std::string kind = workload.kind;
  std::ranges::transform(kind, kind.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return fmt::format("kubectl -n {} patch {} {} --patch-file somaxconn.yaml",
                     pod.ns.value_or("default"), kind, workload.name);
}

}  // namespace acceptq::remedy
