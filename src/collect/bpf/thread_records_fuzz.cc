// Any bytes as the thread iterator's records: no crash, and no more facts than there are records;
// and as the names of addresses.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "collect/bpf/thread_records.h"
#include "collect/bpf/threads_wire.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace acceptq::collect::bpf;
  const auto bytes = std::as_bytes(std::span(data, size));
  AddressNames names;
  const std::vector<std::uint64_t> addresses = unnamed_addresses(bytes, names);
  take_names({reinterpret_cast<const char*>(data), size}, addresses, names);
  if (names.size() != addresses.size()) std::abort();
  constexpr std::array<std::uint64_t, 2> kTwo{1, 2};
  take_names({reinterpret_cast<const char*>(data), size}, kTwo, names);
  const auto seen = parse_thread_records(bytes, names);
  if (!seen) return 0;
  if (seen->threads.size() > size / sizeof(aq_thread_record)) std::abort();
  if (seen->listeners.size() > size / sizeof(aq_queue_record)) std::abort();
  for (const auto& look : seen->threads) {
    if (look.wait.state.size() != 1 || look.wait.stack.size() > AQ_FRAMES) std::abort();
  }
  return 0;
}
