// What a selector that matches nothing may have meant.
#pragma once

#include <string>
#include <vector>

#include "facts/snapshot.h"
#include "select/selector.h"

namespace acceptq::select {

// Selectors of the same kind that match a listener of the snapshot, at most `most`, the likeliest
// first: by the distance of ports, else by the number of letters to change. Listeners' endpoints
// where nothing of the kind was seen.
[[nodiscard]] std::vector<std::string> suggestions(const Selector& selector,
                                                   const facts::Snapshot& snapshot,
                                                   std::size_t most);

}  // namespace acceptq::select
