// One ledger as JSON, as it is part of observations and of traces.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "facts/ledger.h"

namespace acceptq::facts {

[[nodiscard]] nlohmann::ordered_json ledger_to_json(const Ledger& ledger);

}  // namespace acceptq::facts
