// The forms in which net.core.somaxconn of a listener's namespace can be raised: one table.
#pragma once

#include <string>
#include <vector>

#include "remedy/plan.h"
#include "remedy/subject.h"

namespace acceptq::remedy {

enum class Extent {
  kFirst,  // the ways that a report names
  kAll,
};

// Those that apply to the listener, the best first. Their `then` is still empty.
[[nodiscard]] std::vector<Way> somaxconn_ways(const Subject& subject, Extent extent);

}  // namespace acceptq::remedy
