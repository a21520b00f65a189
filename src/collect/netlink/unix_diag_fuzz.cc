// Any bytes as sock_diag's answer about a Unix socket: a path never holds a NUL.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "collect/netlink/unix_diag.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace acceptq;
  const auto listener = collect::netlink::parse_unix_diag(std::as_bytes(std::span(data, size)));
  if (!listener && listener.error().code != ErrorCode::kMalformed) std::abort();
  if (listener && *listener && (*listener)->path.find('\0') != std::string::npos) std::abort();
  return 0;
}
