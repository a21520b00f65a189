// The processes of this host that are clients of listeners in trouble: an ingress, of the server
// behind it.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "collect/bpf/client_records.h"
#include "collect/scan.h"
#include "facts/snapshot.h"

namespace acceptq::collect {

using AddressesByNamespace = std::map<NetnsId, std::set<facts::IpAddress>>;

// Of listeners whose threads were looked at; nothing where the connections of processes cannot
// be seen. An address that several namespaces have, none of them the client's own, tells nothing:
// neither does that of a service which is translated on the way.
void find_local_clients(const Scanner& scanner, facts::Observation& observation);

// The pure part: which listeners of the later snapshot these connections go to. `addresses` are
// those of the namespaces of the clients and of the listeners on their ports.
[[nodiscard]] std::map<std::string, std::vector<facts::LocalClient>> clients_by_listener(
    const facts::Observation& observation, const std::vector<bpf::ClientSeen>& clients,
    const AddressesByNamespace& addresses);

}  // namespace acceptq::collect
