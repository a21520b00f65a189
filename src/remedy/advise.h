// From findings to what to do about them, in the form that the owner of the socket needs.
#pragma once

#include "diagnose/report.h"
#include "facts/snapshot.h"

namespace acceptq::remedy {

// Adds remedies to the findings about SYNs (syn_advise.h) and about a listener's accept queue,
// whose limit is also that of its SYN queue (AQ101, AQ103, AQ104, AQ105, AQ108, AQ110, AQ111,
// AQ113, AQ202): the knob that binds now first, and in `then` the one behind it. Where the queue is
// full all the time, the first remedy says that a longer one only makes clients wait. What is known
// of servers also corrects what a limit's value alone suggests (AQ105, `limit_set_by`).
void add_remedies(diagnose::Report& report, const facts::Observation& observation);

}  // namespace acceptq::remedy
