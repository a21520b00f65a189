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

// Whether its client has given up: it has not tried again in twice the time in which clients do. A
// SYN is repeated after 1, 2, 4 … 32 s (RTO doubles, tcp_retransmit_timer; the first four after 1 s
// each from 6.5 on), other packets no slower.
[[nodiscard]] bool gave_up(const OpenAttempt& attempt, std::int64_t now_ns);

}  // namespace acceptq::collect::bpf
