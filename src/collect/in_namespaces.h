// Work in network namespaces that a scan has found.
#pragma once

#include <functional>
#include <set>

#include "base/units.h"
#include "collect/scan.h"

namespace acceptq::collect {

// Calls `work` inside each of these, one after the other, in a thread that ends afterwards (see
// netns::for_each_namespace); those that cannot be entered are left out.
void in_namespaces(const Scanner& scanner, const std::set<NetnsId>& namespaces,
                   const std::function<void(NetnsId)>& work);

}  // namespace acceptq::collect
