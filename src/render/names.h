// The words of closed vocabularies, as text and JSON write them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "diagnose/report.h"
#include "facts/snapshot.h"

namespace acceptq::render {

[[nodiscard]] const char* name_of(diagnose::Verdict verdict);
[[nodiscard]] const char* name_of(diagnose::Severity severity);
[[nodiscard]] const char* name_of(diagnose::LimitSetBy by);
[[nodiscard]] const char* name_of(diagnose::Cookies cookies);

// Every word of a vocabulary, in the order of its type.
[[nodiscard]] std::vector<std::string> verdict_names();
[[nodiscard]] std::vector<std::string> limit_set_by_names();

// RFC 3339, UTC, whole seconds: "2026-11-23T06:00:00Z".
[[nodiscard]] std::string utc_time(std::int64_t realtime_ns);

// When the incident began; the observation has one.
[[nodiscard]] std::int64_t incident_realtime_ns(const facts::Observation& observation);

// Three digits and a unit: "0.25 ms", "2.5 s".
[[nodiscard]] std::string duration_text(double ms);

}  // namespace acceptq::render
