// What a person calls a listener: its pod, container or program, its owner, its address.
#pragma once

#include <string>

#include "facts/snapshot.h"

namespace acceptq::render {

// "default/tcpbench-6484d4b457-847gl", "container 49b4135534da (web)", "nginx", "the kernel", "?".
[[nodiscard]] std::string workload_name(const facts::Snapshot& snapshot,
                                        const facts::Listener& listener);

// "nginx": the program of its first owner; else as workload_name.
[[nodiscard]] std::string program_name(const facts::Snapshot& snapshot,
                                       const facts::Listener& listener);

// "nginx (pid 3985 and 2 more)"; "node (pid 694), systemd (pid 1)" where several programs hold the
// socket; empty where no process is known.
[[nodiscard]] std::string owner_name(const facts::Snapshot& snapshot,
                                     const facts::Listener& listener);

// What the commands call it by: "pod:shop/web-0", "container:49b4135534da", or its endpoint.
[[nodiscard]] std::string selector_of(const facts::Snapshot& snapshot,
                                      const facts::Listener& listener);

// "the host's network namespace", or else as a selector would name it: "netns:/run/netns/blue".
[[nodiscard]] std::string namespace_name(const facts::Snapshot& snapshot, NetnsId id);

// "the host's", "the pod's own", "its own": whose network namespace the listener is in.
[[nodiscard]] std::string namespace_owner(const facts::Snapshot& snapshot,
                                          const facts::Listener& listener);

}  // namespace acceptq::render
