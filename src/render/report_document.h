// The report as a document: the same sentences as report_text, with the evidence behind them.
#pragma once

#include "diagnose/comparison.h"
#include "diagnose/report.h"
#include "facts/snapshot.h"
#include "render/document.h"

namespace acceptq::render {

struct DocumentOptions {
  bool all = false;      // as in TextOptions
  bool verbose = false;  // as in TextOptions
  const diagnose::Comparison* baseline = nullptr;
};

[[nodiscard]] Document report_document(const diagnose::Report& report,
                                       const facts::Observation& observation,
                                       const DocumentOptions& options);

}  // namespace acceptq::render
