// Any bytes as sock_diag's answer about a TCP socket.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "collect/netlink/inet_diag.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace acceptq;
  const auto listener = collect::netlink::parse_inet_diag(std::as_bytes(std::span(data, size)));
  if (!listener && listener.error().code != ErrorCode::kMalformed) std::abort();
  if (listener && !listener->owners.empty()) std::abort();
  return 0;
}
