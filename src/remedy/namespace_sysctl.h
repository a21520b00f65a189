// A sysctl of one network namespace, written out for whoever can set it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/units.h"
#include "facts/namespace.h"

namespace acceptq::remedy {

struct Setting {
  std::string_view name;  // "net.core.somaxconn"
  std::int64_t value = 0;
};

inline constexpr std::string_view kSysctlFolder = "/etc/sysctl.d";
inline constexpr std::string_view kSomaxconnFile = "60-somaxconn.conf";

// "net.core.somaxconn = 4096", as a line of such a file.
[[nodiscard]] std::string sysctl_line(const Setting& setting);
// A file below kSysctlFolder, and what makes it take effect.
[[nodiscard]] std::string sysctl_file(std::string_view file, const Setting& setting);
[[nodiscard]] std::string pod_sysctls(const Setting& setting);
// By "docker" or "podman", which take the same.
[[nodiscard]] std::string docker_run(const Setting& setting, std::string_view engine = "docker");
// For a container of which only the inside is seen: both of the above.
[[nodiscard]] std::string container_sysctls(const Setting& setting);
// The command that sets it at once in the namespace that `inside` lives in.
[[nodiscard]] std::string set_now(const facts::Namespace* ns, Pid inside, const Setting& setting);

}  // namespace acceptq::remedy
