// What the bytes of the handshake programs say. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>

#include "base/result.h"
#include "facts/ledger.h"

namespace acceptq::collect::bpf {

// A listener's place in the kernel's memory and the moment at which tracing met it: unique while
// tracing runs. Opaque; never shown.
struct ListenerId {
  std::uint64_t sk = 0;
  std::uint64_t born_ns = 0;

  friend auto operator<=>(const ListenerId&, const ListenerId&) = default;
};

// One aq_ledger; kTruncated for any other size, kMalformed for an unknown address family.
struct LedgerRecord {
  ListenerId id;
  facts::Ledger ledger;
  bool selected = false;  // one of those whose refusals are sent one by one
};
[[nodiscard]] Result<LedgerRecord> parse_ledger(std::uint64_t sk, std::span<const std::byte> bytes);

// One record of the ring buffer: a refusal with its listener, or the last state of a ledger.
// kTruncated and kMalformed as above, and for a kind, stage or reason that programs do not write.
struct RefusalRecord {
  ListenerId listener;
  facts::Refusal refusal;
};
using Event = std::variant<RefusalRecord, LedgerRecord>;
[[nodiscard]] Result<Event> parse_event(std::span<const std::byte> bytes);

}  // namespace acceptq::collect::bpf
