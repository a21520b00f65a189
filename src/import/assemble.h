// Joins blocks to what was seen: of each network namespace that the text tells apart, the first and
// the last sample.
#pragma once

#include <vector>

#include "import/import.h"
#include "import/places.h"

namespace acceptq::imports {

[[nodiscard]] Imported assemble(std::vector<Source> sources);

}  // namespace acceptq::imports
