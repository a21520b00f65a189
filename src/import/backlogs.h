// What servers ask listen() for, by their configuration.
#pragma once

#include "facts/snapshot.h"
#include "import/scene.h"

namespace acceptq::imports {

// Gives listeners of the scene's namespace the backlog that the configuration of their server asks
// for, where that can be what is in force; and says where it is written.
void add_backlogs(const Scene& scene, const facts::Namespace& ns, facts::Snapshot& snapshot);

}  // namespace acceptq::imports
