// What the remedies of one listener's findings have to do with each other.
#pragma once

#include "diagnose/report.h"

namespace acceptq::remedy {

// SYN cookies first, whatever else is found of a listener whose SYN queue refuses without them; and
// that clients are not reset, last. To be called when each finding has its own remedies.
void combine_remedies(diagnose::Report& report);

}  // namespace acceptq::remedy
