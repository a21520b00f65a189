// Which addresses are a network namespace's own.
#pragma once

#include <map>
#include <set>

#include "collect/scan.h"
#include "facts/address.h"

namespace acceptq::collect {

// Of namespaces that the scanner's last scan saw; one that cannot be entered is missing.
[[nodiscard]] std::map<NetnsId, std::set<facts::IpAddress>> local_addresses(
    const Scanner& scanner, const std::set<NetnsId>& namespaces);

}  // namespace acceptq::collect
