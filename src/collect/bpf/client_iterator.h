// Who on this host is connected to a port, by BPF iterator.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "base/result.h"
#include "collect/bpf/client_records.h"

namespace acceptq::collect::bpf {

struct ClientsSeen {
  std::vector<ClientSeen> clients;
  std::uint32_t left_out = 0;  // connections, there being too many
};

// TCP connections, and attempts, to these ports of whatever address, of the processes of the
// caller's PID namespace and of those below; of more than 256 ports the lowest. `with_unix`:
// connections as well that wait in the accept queue of a Unix socket. Loads the program,
// makes one pass and lets go of it. Needs what ListenerIterator needs, and fails as it does.
[[nodiscard]] Result<ClientsSeen> find_clients(const std::set<std::uint16_t>& ports,
                                               bool with_unix);

}  // namespace acceptq::collect::bpf
