// Puts together what the maps of the handshake programs hold apart. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "collect/bpf/handshake_tracer.h"

namespace acceptq::collect::bpf {

struct LedgerParts {
  std::vector<LedgerRecord> records;
  std::vector<ClientCount> clients;
  std::vector<ClientCount> prefixes;
  std::vector<OpenAttempt> attempts;
  bool some_clients_forgotten = false;  // there were more than fit
  std::int64_t now_ns = 0;              // CLOCK_MONOTONIC
};

// The ledgers in which anything was counted, with their clients and those that gave up. A listener
// whose place in memory another took leaves its clients to that one.
[[nodiscard]] std::vector<facts::Ledger> bind_books(LedgerParts parts);

}  // namespace acceptq::collect::bpf
