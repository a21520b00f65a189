// The service unit of systemd that a process belongs to, and its bound on descriptors. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "config/edit.h"

namespace acceptq::config {

// "nginx.service" of the control group "/system.slice/nginx.service" or of one below it. Nothing
// for a user's own units and for scopes, which no restart of a unit starts anew.
[[nodiscard]] std::optional<std::string> service_of_cgroup(std::string_view cgroup);

// `LimitNOFILE=` in a drop-in of the unit. `read` reads what the system's manager does.
[[nodiscard]] Result<Edit> edit_limit_nofile(const std::string& unit, std::uint32_t value,
                                             const ReadFiles& read);

}  // namespace acceptq::config
