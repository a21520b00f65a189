// What a person calls a listener: its pod, container or program, its owner, its address.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "facts/snapshot.h"

namespace acceptq::render {

// "default/tcpbench-6484d4b457-847gl", "container 49b4135534da (web)", "nginx"; "node, sleep" where
// several programs hold the socket; "no process".
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

// Tells listeners apart that have one port in several network namespaces.
class Twins {
 public:
  explicit Twins(const facts::Snapshot& snapshot);

  // The listener's namespace as namespace_name has it; empty where its port is in one namespace
  // only, or where its pod or container tells it from others.
  [[nodiscard]] std::string where(const facts::Listener& listener) const;
  // workload_name, and where that is: "nginx (netns:4026532176)", "nginx (host)".
  [[nodiscard]] std::string workload_name(const facts::Listener& listener) const;

 private:
  const facts::Snapshot& snapshot_;
  std::set<std::uint16_t> shared_;  // ports
};

// "the host's", "the pod's own", "its own": whose network namespace the listener is in.
[[nodiscard]] std::string namespace_owner(const facts::Snapshot& snapshot,
                                          const facts::Listener& listener);

}  // namespace acceptq::render
