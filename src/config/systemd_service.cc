#include "config/systemd_service.h"

#include <utility>
#include <vector>

#include "base/text.h"
#include "config/drop_in.h"

namespace acceptq::config {

std::optional<std::string> service_of_cgroup(std::string_view cgroup) {
  constexpr std::string_view kService = ".service";
  constexpr std::string_view kScope = ".scope";
  constexpr std::string_view kUserManager = "user@";
  std::optional<std::string> service;
  for (const std::string_view name : split(cgroup, '/')) {
    // What is below a user's manager is that one's; a container's engine makes scopes.
    if (name.ends_with(kScope) || name.starts_with(kUserManager)) return std::nullopt;
    if (name.size() > kService.size() && name.ends_with(kService)) {
      // systemd puts a '_' before what the kernel would take for a file of its own (cg_escape).
      service = std::string(name.starts_with('_') ? name.substr(1) : name);
    }
  }
  return service;
}

Result<Edit> edit_limit_nofile(const std::string& unit, std::uint32_t value,
                               const ReadFiles& read) {
  Result<Edit> edit = edit_drop_in(unit, "Service", "LimitNOFILE", std::to_string(value), read);
  if (!edit) return edit;
  edit->takes_effect =
      by_commands({{"systemctl", "daemon-reload"}, {"systemctl", "restart", unit}});
  return edit;
}

}  // namespace acceptq::config
