// Whatever bytes come out of a map or the ring buffer: a record or an error, never a crash.
#include <cstddef>
#include <cstdint>
#include <span>

#include "collect/bpf/ledger_records.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  static_cast<void>(acceptq::collect::bpf::parse_event(bytes));
  static_cast<void>(acceptq::collect::bpf::parse_ledger(1, bytes));
  return 0;
}
