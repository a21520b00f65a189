// Where the clients of a port go on which nothing listens.
#pragma once

#include <vector>

#include "collect/scan.h"
#include "facts/snapshot.h"

namespace acceptq::collect {

// Adds what connection tracking knows of these ports to the snapshot, the scanner's last: in each
// network namespace with connections in its table. Those on which something listens, wherever, are
// not looked up. A namespace that cannot be entered, or whose table cannot be read, has none.
void look_at_translations(const Scanner& scanner, const std::vector<std::uint16_t>& ports,
                          facts::Snapshot& snapshot);

}  // namespace acceptq::collect
