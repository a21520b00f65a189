// Joins blocks to what was seen: of each network namespace that the text tells apart, the first and
// the last sample.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "facts/snapshot.h"
#include "import/recognise.h"

namespace acceptq::imports {

// Of one text.
struct Source {
  std::string name;
  Recognised recognised;
};

[[nodiscard]] facts::Observation assemble(std::vector<Source> sources);

}  // namespace acceptq::imports
