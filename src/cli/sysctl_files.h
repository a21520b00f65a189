// The files that sysctls get their values from at boot (sysctl.d(5)).
#pragma once

#include <optional>
#include <string>

namespace acceptq::cli {

// The first file read after `path` (/etc/sysctl.d/60-x.conf) that sets the sysctl too, and so has
// the last word at boot: of folders below `root`, by name, whatever the folder, and
// /etc/sysctl.conf, which sysctl --system reads last.
[[nodiscard]] std::optional<std::string> set_later(const std::string& path, const std::string& name,
                                                   const std::string& root = "");

}  // namespace acceptq::cli
