// What may hold programs up, by what was pasted of the host, a control group or NFS. Whether it
// holds up a listener's own is in no such text: these are hints, and no causes.
#pragma once

#include <string>
#include <vector>

#include "facts/snapshot.h"
#include "import/scene.h"

namespace acceptq::imports {

// `blocks`: of one place, in their order. Of two samples what grew between them counts.
void add_hints(const std::vector<Placed>& blocks, std::vector<facts::BlindSpot>& hints);

}  // namespace acceptq::imports
