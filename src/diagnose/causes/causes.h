// Why accept() is slow, for each listener that suffers from it: AQ301 … AQ314. Pure.
#pragma once

#include <vector>

#include "diagnose/causes/judges.h"

namespace acceptq::diagnose {

// Every cause that is at work, the greatest share first; `unknown` alone where the threads were
// watched for long enough and nothing explains where they were for most of it.
[[nodiscard]] std::vector<JudgedCause> causes_of(const facts::Observation& observation,
                                                 const ListenerState& state,
                                                 const AcceptTime& time);

}  // namespace acceptq::diagnose
