// What one listener's numbers say, before any finding is made of them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "diagnose/deltas.h"
#include "diagnose/refusals.h"
#include "diagnose/report.h"
#include "facts/snapshot.h"
#include "listenpath/kernel.h"

namespace acceptq::diagnose {

// One listener with all that its findings are made from. Pointers go into the observation.
struct ListenerState {
  const facts::Listener* listener = nullptr;
  const facts::Listener* before = nullptr;  // the same socket at the beginning; null: it is new
  const facts::Ledger* ledger =
      nullptr;  // what tracing counted for it; null: nothing, or not traced
  NamespaceDelta ns;
  ListenerReport report;
  bool kernel_owned = false;  // no descriptor of any process refers to it
  // By its ledger, or by what its namespace's counters grew where that is this listener's alone;
  // empty where other listeners can have had a share, or there was no time to watch.
  std::optional<Refusals> refusals;
  // What refused its handshakes: known, or concluded from its own sk_drops and what the counters of
  // its namespace say of all listeners there.
  bool by_accept_queue = false;
  bool by_syn_queue = false;
  bool by_other = false;
  std::optional<std::uint64_t> cookies_sent;  // where they were its own
  std::optional<double> seconds;              // that it was watched
  bool only_listener = false;                 // for TCP in its namespace, then and now
  // Dropped by this host, by the kernel's reason; attribute_dead_syns().
  std::map<std::string, std::uint64_t> dead_syns;
  std::map<std::string, std::uint64_t> dead_acks;  // and what came behind these
  // Answered by a reset: they came to its port at an address that no listener serves.
  std::vector<facts::DeadSyn> reset_beside;
  // SYNs without an answer beyond all that its namespace's counters refused, and all that came; by
  // packets, and 0 where the kernel told why SYNs die.
  std::uint64_t syns_lost = 0;
  std::uint64_t syns_seen = 0;
  // Values other than the application's choice that the limit may have come from; only where
  // limit_set_by is unknown: "the kernel's default", "the host's somaxconn" …
  std::vector<std::string> limit_candidates;
};

// One for each listener of the later snapshot, in its order.
[[nodiscard]] std::vector<ListenerState> listener_states(const facts::Observation& observation,
                                                         const listenpath::KernelRules& rules);

}  // namespace acceptq::diagnose
