// What every front shows of an observation: the diagnosis with its remedies, narrowed to what was
// asked for.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "diagnose/report.h"
#include "facts/snapshot.h"
#include "select/selection.h"

namespace acceptq::answer {

struct Answer {
  facts::Observation observation;
  diagnose::Report report;            // of exactly this observation
  std::vector<std::string> warnings;  // of selectors, to be said beside the report
};

// Diagnoses and advises; everything that was observed is in it, and what the diagnosis does not
// believe is among the blind spots.
[[nodiscard]] Answer answer(facts::Observation observation);

// Keeps the listeners that a selector matches, and those that they wait for (AQ315), in the
// observation and in the report alike, with their findings, their namespaces and the blind spots
// that concern them. No selectors: everything stays. Warnings are those of select::select(), whose
// blind spots stay, and of listeners that have ended. Fails as select::select() does, and leaves
// the answer as it was.
[[nodiscard]] Status narrow(const std::vector<select::Selector>& selectors,
                            const select::IsProcess& is_process, Answer& answer);

// Both.
[[nodiscard]] Result<Answer> answer(facts::Observation observation,
                                    const std::vector<select::Selector>& selectors,
                                    const select::IsProcess& is_process);

}  // namespace acceptq::answer
