// What refused the handshakes of a listener or of a namespace, and how bad that was for the
// clients.
#pragma once

#include <cstdint>

#include "diagnose/deltas.h"
#include "diagnose/report.h"
#include "facts/ledger.h"
#include "facts/snapshot.h"
#include "listenpath/kernel.h"

namespace acceptq::diagnose {

struct ListenerState;

// Refused packets of handshakes, by what refused them.
struct Refusals {
  std::uint64_t accept_queue = 0;
  std::uint64_t syn_queue = 0;  // full, with SYN cookies off
  std::uint64_t reserve = 0;    // its last quarter, with SYN cookies off
  std::uint64_t other = 0;      // no memory, no route back, a security module …

  [[nodiscard]] std::uint64_t total() const { return accept_queue + syn_queue + reserve + other; }
  [[nodiscard]] std::uint64_t by_syn_queue() const { return syn_queue + reserve; }
};

[[nodiscard]] Refusals refusals_of(const facts::Ledger& ledger);

// By what the namespace's counters grew. The kernel has no counter for the reserve: with cookies
// off, what no other counter explains was refused for it.
[[nodiscard]] Refusals refusals_of(const NamespaceDelta& ns, const listenpath::KernelRules& rules);

// Whether the counters tell a full SYN queue from what else refuses: TCPReqQFullDrop was read, or
// SYN cookies are on, with which none refuses. Live they do always.
[[nodiscard]] bool knows_syn_queue(const NamespaceDelta& ns);

// How bad the refusals of a listener were: critical where at least one in a hundred of its attempts
// was lost or delayed by more than 3 s, a notice where each came through at its first retry, else a
// warning. docs/glossary.md says what stands in for that where attempts are not known.
[[nodiscard]] Severity refusal_severity(const ListenerState& state);

// By packets alone: of `refused` beside `admitted` ones.
[[nodiscard]] Severity refusal_severity(std::uint64_t refused, std::uint64_t admitted);

}  // namespace acceptq::diagnose
