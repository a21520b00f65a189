// One ledger as JSON, as it is part of observations and of traces.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "facts/ledger.h"

namespace acceptq::facts {

[[nodiscard]] nlohmann::ordered_json ledger_to_json(const Ledger& ledger);
// Null where it is empty.
[[nodiscard]] nlohmann::ordered_json captured_to_json(const std::optional<Captured>& captured);

}  // namespace acceptq::facts
