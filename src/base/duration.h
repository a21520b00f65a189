// Durations as people type them.
#pragma once

#include <optional>
#include <string_view>

namespace acceptq {

// Seconds of "500ms", "2s", "1.5s", "10m" or "12h"; nothing for anything else. The unit is
// needed: "2" could be minutes.
[[nodiscard]] std::optional<double> parse_duration(std::string_view text);

}  // namespace acceptq
