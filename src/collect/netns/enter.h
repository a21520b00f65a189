// Work inside foreign network namespaces, in threads that end with it.
#pragma once

#include <functional>
#include <span>

#include "base/result.h"
#include "collect/netns/discover.h"

namespace acceptq::collect::netns {

// Called inside the namespace of the handle (its index in the span), or, with an error, where it
// could not be entered: kNotFound if it is gone, kPermission, or kInterrupted if the path leads to
// another namespace by now. Several threads call it at once, for different indexes.
using Visit = std::function<void(std::size_t index, const Status& entered)>;

// Visits every handle, on up to `threads` new threads; the calling thread stays where it is. A
// thread that entered a namespace never goes on to work outside: it ends. The caller's own
// namespace is visited without setns(), so that it needs no privilege.
void for_each_namespace(std::span<const Handle> handles, unsigned threads, const Visit& visit);

}  // namespace acceptq::collect::netns
