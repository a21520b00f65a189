// Any bytes as the client iterator's records: no crash, and no more clients than there are records.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "collect/bpf/client_records.h"
#include "collect/bpf/clients_wire.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace acceptq::collect::bpf;
  const auto clients = parse_client_records(std::as_bytes(std::span(data, size)));
  if (clients && clients->size() > size / sizeof(aq_client_record)) std::abort();
  return 0;
}
