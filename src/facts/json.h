// Facts as JSON: what `check --save` writes and `check --from` reads. docs/formats.md describes it.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "facts/snapshot.h"

namespace acceptq::facts {

inline constexpr const char* kObservationSchema = "acceptq.observation/1";

[[nodiscard]] std::string to_json(const Observation& observation);

// The reverse. kMalformed with "line L, column C (at $.PATH): what was expected, and what was
// found": for text that is no JSON, a field that is missing, of the wrong type or out of range, or
// a schema that is not known. Fields that are not known are passed over: later versions may add
// some. Of a field that is there twice the last counts.
[[nodiscard]] Result<Observation> observation_from_json(std::string_view text);

// Names that the JSON forms share.
[[nodiscard]] const char* source_name(Source source);
[[nodiscard]] const char* held_by_name(HeldBy held_by);

}  // namespace acceptq::facts
