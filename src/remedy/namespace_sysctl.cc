#include "remedy/namespace_sysctl.h"

#include <fmt/format.h>

#include "facts/snapshot.h"

namespace acceptq::remedy {

std::string sysctl_line(const Setting& setting) {
  return fmt::format("{} = {}\n", setting.name, setting.value);
}

std::string sysctl_file(std::string_view file, const Setting& setting) {
  return fmt::format("# {}/{}, then: sysctl --system\n{}", kSysctlFolder, file,
                     sysctl_line(setting));
}

std::string pod_sysctls(const Setting& setting) {
  return fmt::format(
      "spec:\n  securityContext:\n    sysctls:\n    - name: {}\n      value: \"{}\"\n",
      setting.name, setting.value);
}

std::string docker_run(const Setting& setting, std::string_view engine) {
  return fmt::format("{} run --sysctl {}={} …", engine, setting.name, setting.value);
}

std::string container_sysctls(const Setting& setting) {
  return docker_run(setting) + "\n# or, in the pod's manifest:\n" + pod_sysctls(setting);
}

std::string set_now(const facts::Namespace* ns, Pid inside, const Setting& setting) {
  if (ns != nullptr && (ns->own_container || facts::is_pasted_inside(*ns))) {
    return fmt::format("sysctl -w {}={}", setting.name, setting.value);
  }
  return fmt::format("nsenter -t {} -n sysctl -w {}={}", inside.value(), setting.name,
                     setting.value);
}

}  // namespace acceptq::remedy
