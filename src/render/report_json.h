// The report as JSON, schema acceptq.report/1 (docs/formats.md). Fields may be added, never renamed
// or removed; what could not be known is null.
#pragma once

#include <string>

#include "diagnose/comparison.h"
#include "diagnose/report.h"
#include "facts/snapshot.h"

namespace acceptq::render {

enum class JsonLayout { kIndented, kLine };

// Ends with a newline. `baseline` may be null.
[[nodiscard]] std::string report_json(const diagnose::Report& report,
                                      const facts::Observation& observation,
                                      JsonLayout layout = JsonLayout::kIndented,
                                      const diagnose::Comparison* baseline = nullptr);

}  // namespace acceptq::render
