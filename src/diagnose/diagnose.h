// Facts in, verdict out. Pure: the same observation always gives the same report.
#pragma once

#include <string_view>
#include <vector>

#include "diagnose/report.h"
#include "facts/snapshot.h"

namespace acceptq::diagnose {

// Works on an observation of no duration too (one snapshot twice): what needs two moments is then
// left unsaid. Remedies are added by remedy::add_remedies.
[[nodiscard]] Report diagnose(const facts::Observation& observation);

// Namespaces whose ledgers diagnose() does not believe, as they claim more refused packets than the
// kernel counted: what it says of these rests on counters alone.
[[nodiscard]] std::vector<facts::BlindSpot> disbelieved_ledgers(
    const facts::Observation& observation);

// The verdict that a finding of this number stands for: kHealthy where it only explains another.
[[nodiscard]] Verdict verdict_of_finding(std::string_view id);

// The worst verdict of its listeners and of the findings about namespaces: overflow that no open
// listener explains is overflow all the same.
[[nodiscard]] Verdict overall_verdict(const Report& report);

}  // namespace acceptq::diagnose
