// The findings about one listener.
#pragma once

#include <string>
#include <vector>

#include "diagnose/report.h"

namespace acceptq::diagnose {

// Of the listener with that key, in the report's order. Pointers go into the report.
[[nodiscard]] inline std::vector<const Finding*> findings_of(const Report& report,
                                                             const std::string& key) {
  std::vector<const Finding*> findings;
  for (const Finding& finding : report.findings) {
    if (finding.listener == key) findings.push_back(&finding);
  }
  return findings;
}

}  // namespace acceptq::diagnose
