// What was not pasted and would tell more, with the command that prints it.
#pragma once

#include <string>

#include "facts/snapshot.h"
#include "import/scene.h"

namespace acceptq::imports {

// A line that could not be read.
[[nodiscard]] facts::BlindSpot unread(std::string at, std::string reason);

// What the text says twice and differently.
[[nodiscard]] facts::BlindSpot doubt(const facts::Namespace& ns, std::string reason);

// Adds what the namespace that `scene` is of lacks; the two samples of it are complete but for
// this.
void add_missing(facts::Observation& observation, const Scene& scene,
                 const facts::Namespace& before, const facts::Namespace& after);

}  // namespace acceptq::imports
