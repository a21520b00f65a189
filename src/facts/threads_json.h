// Evidence of why accept() is slow as JSON, as it is part of observations.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "facts/json_value.h"
#include "facts/threads.h"

namespace acceptq::facts {

[[nodiscard]] nlohmann::ordered_json evidence_to_json(const AcceptEvidence& evidence);
[[nodiscard]] AcceptEvidence read_evidence(const json::Value& value);

}  // namespace acceptq::facts
