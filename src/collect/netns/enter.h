// Work inside foreign network namespaces, in threads that end with it.
#pragma once

#include <functional>
#include <span>

#include "base/result.h"
#include "collect/netns/discover.h"

namespace acceptq::collect::netns {

// Called inside the namespace of the handle (its index in the span), or, with an error, where it
// could not be entered: kNotFound if it is gone, kInterrupted if every entrance leads elsewhere by
// now, kPermission, kUnsupported where the way there lies on storage that may not answer, or kIo.
// Several threads call it at once, for different indexes.
using Visit = std::function<void(std::size_t index, const Status& entered)>;

// Visits every handle: foreign ones on up to `threads` new threads, which end afterwards, the
// caller's own namespace on the calling thread without setns(), so that it needs no privilege.
// Waits for no storage: see Entrance.
void for_each_namespace(std::span<const Handle> handles, unsigned threads, const Visit& visit);

}  // namespace acceptq::collect::netns
