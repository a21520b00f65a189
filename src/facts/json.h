// Facts as JSON: what `check --save` writes and `check --from` reads. docs/formats.md describes it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "facts/snapshot.h"

namespace acceptq::facts {

inline constexpr const char* kObservationSchema = "acceptq.observation/1";

// The most bytes that a recording may have: enough for a host of thousands of network namespaces,
// and read in seconds with less memory than such a host can miss.
inline constexpr std::size_t kLargestRecording = std::size_t{64} << 20;

[[nodiscard]] std::string to_json(const Observation& observation);

// The reverse. kMalformed with "line L, column C (at $.PATH): what was expected, and what was
// found": for text that is no JSON, a field that is missing, there twice, of the wrong type or out
// of range, an end before the beginning, or a schema that is not known. Fields that are not known
// are passed over (later versions may add some), and one that may be null may be missing (earlier
// ones did not have all).
[[nodiscard]] Result<Observation> observation_from_json(std::string_view text);

// Names that the JSON forms share.
[[nodiscard]] const char* source_name(Source source);
[[nodiscard]] const char* held_by_name(HeldBy held_by);

}  // namespace acceptq::facts
