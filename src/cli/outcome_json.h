// What the JSON forms of changes have in common.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

#include "base/result.h"
#include "remedy/live_policy.h"

namespace acceptq::cli {

[[nodiscard]] nlohmann::ordered_json error_json(const std::optional<Error>& error);
[[nodiscard]] nlohmann::ordered_json errors_json(const std::vector<Error>& errors);
[[nodiscard]] nlohmann::ordered_json objections_json(
    const std::vector<remedy::LiveObjection>& objections);

}  // namespace acceptq::cli
