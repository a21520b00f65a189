// Any bytes as the iterator's records: no crash; every record is accounted for, and every socket
// has facts of its own.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "collect/bpf/iterator_records.h"
#include "collect/bpf/listeners_wire.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace acceptq::collect::bpf;
  const auto scan = parse_iterator_records(std::as_bytes(std::span(data, size)), 100);
  if (!scan) return 0;
  if (scan->records * sizeof(aq_listener_record) != size) std::abort();
  if (scan->listeners.size() > scan->records || scan->processes.size() > scan->records ||
      scan->namespaces.size() > scan->records) {
    std::abort();
  }
  return 0;
}
