// The report as a person reads it: what is wrong first, in a sentence; then each listener that is
// in trouble, worst first; then the others, notices, and what could not be seen.
#pragma once

#include <string>

#include "diagnose/comparison.h"
#include "diagnose/report.h"
#include "facts/snapshot.h"
#include "render/term.h"

namespace acceptq::render {

struct TextOptions {
  TermStyle style;
  bool all = false;      // list every listener, not only those worth a look
  bool verbose = false;  // every listener in trouble by itself, with all that is known of it
  const diagnose::Comparison* baseline = nullptr;  // shown after the listeners in trouble
};

[[nodiscard]] std::string report_text(const diagnose::Report& report,
                                      const facts::Observation& observation,
                                      const TextOptions& options);

}  // namespace acceptq::render
