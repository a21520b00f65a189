// What to do about the cause of a slow accept(), which comes before everything about the queue.
#pragma once

#include "diagnose/report.h"
#include "remedy/subject.h"

namespace acceptq::remedy {

// Of a finding with a cause that is known.
[[nodiscard]] diagnose::Remedy remedy_of_cause(const diagnose::Finding& finding,
                                               const Subject& subject);

// Whether, with this cause, a longer queue would change nothing at all.
[[nodiscard]] bool makes_length_useless(const diagnose::Finding& finding);

}  // namespace acceptq::remedy
