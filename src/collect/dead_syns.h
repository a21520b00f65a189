// SYNs that died before a listener saw them, between two moments.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "collect/handshakes.h"
#include "facts/address.h"
#include "facts/snapshot.h"

namespace acceptq::collect {

using AddressesOf =
    std::function<std::map<NetnsId, std::set<facts::IpAddress>>(const std::set<NetnsId>&)>;

// SYNs to this host that died between two moments; of those that had no route yet, the ones to an
// address of their namespace. Empty where the kernel does not tell.
[[nodiscard]] std::optional<std::vector<facts::DeadSyn>> dead_syns_between(
    const Books& base, const Books& books, const AddressesOf& local_addresses);

}  // namespace acceptq::collect
