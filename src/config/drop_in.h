// A setting of a unit of systemd, in a drop-in beside the unit (systemd.unit(5)). Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "config/edit.h"

namespace acceptq::config {

// Where an administrator's units and drop-ins are, which win over all others but transient ones.
inline constexpr std::string_view kUnitDirectory = "/etc/systemd/system";

// `KEY=VALUE` of [SECTION]: where a drop-in of the unit says it already, there, else in one of our
// own behind all others. `read` reads what the system's manager does.
[[nodiscard]] Result<Edit> edit_drop_in(std::string_view unit, std::string_view section,
                                        std::string_view key, std::string_view value,
                                        const ReadFiles& read);

}  // namespace acceptq::config
