// Where the threads that accept were, by time. Pure.
#pragma once

#include <optional>

#include "diagnose/listener_state.h"
#include "diagnose/report.h"
#include "facts/snapshot.h"

namespace acceptq::diagnose {

// Nothing where they were not looked at in several parts of the time, or where a recording does not
// tell when.
[[nodiscard]] std::optional<AcceptCourse> accept_course(const facts::Observation& observation,
                                                        const ListenerState& state);

}  // namespace acceptq::diagnose
