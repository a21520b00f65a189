// Facts in, verdict out. Pure: the same observation always gives the same report.
#pragma once

#include "diagnose/report.h"
#include "facts/snapshot.h"

namespace acceptq::diagnose {

// Works on an observation of no duration too (one snapshot twice): what needs two moments is then
// left unsaid. Remedies are added by remedy::add_remedies.
[[nodiscard]] Report diagnose(const facts::Observation& observation);

// The verdict of a set of listeners: the worst.
[[nodiscard]] Verdict worst(const std::vector<ListenerReport>& listeners);

}  // namespace acceptq::diagnose
